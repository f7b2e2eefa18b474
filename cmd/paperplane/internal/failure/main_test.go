//go:build linux

package failure_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

var build = drive.Build{Race: raceDetector}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(worldtest.M{M: m, On: testenv.Kernel}, goleak.Cleanup(func(code int) {
		build.Remove()
		os.Exit(code)
	}))
}
