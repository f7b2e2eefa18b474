package remote_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv/guest"
)

func TestMain(m *testing.M) {
	guest.Main()
	goleak.VerifyTestMain(m)
}
