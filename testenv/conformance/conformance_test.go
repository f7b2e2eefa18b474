package conformance_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/conformance"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

var (
	out  = flag.String("out", "", "directory for conformance.txt")
	only = flag.String("only", "", "regular expression that chooses cases by their names")
)

func TestMain(m *testing.M) {
	os.Exit(kernel.Main(func() int {
		code := m.Run()
		if err := goleak.Find(); err != nil && code == 0 {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
		return code
	}))
}

// Both worlds do what the table says of them.
func TestConformance(t *testing.T) {
	r := conformance.New(regexp.MustCompile(*only).MatchString)
	t.Run("memory", func(t *testing.T) {
		check(t, r.Play(testenv.Memory, func(play func()) {
			synctest.Test(t, func(*testing.T) { play() })
		}))
	})
	t.Run("kernel", func(t *testing.T) {
		if err := kernel.Supported(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		check(t, r.Play(testenv.Kernel, func(play func()) { play() }))
	})
	for _, wrong := range r.Wrong() {
		t.Error(wrong)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
	if *out != "" {
		write(t, "conformance.txt", b.String())
	}
}

func check(t *testing.T, failed map[string]error) {
	t.Helper()
	for name, err := range failed {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(*out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*out, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
