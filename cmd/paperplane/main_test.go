package main

import (
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
)

// build is the program that the process tests run, with the race detector if the
// tests have it.
var build = drive.Build{Race: raceEnabled}

// built returns the path of the program, which it builds once.
func built(t *testing.T) string {
	t.Helper()
	return build.Path(t)
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		build.Remove()
		os.Exit(code)
	}))
}

// need returns the path of a tool. Without it the test is skipped, but where
// everything is meant to be there.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", tool)
	}
	t.Skipf("%s is not installed", tool)
	return ""
}
