package scenario_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(worldtest.M{M: m}) }
