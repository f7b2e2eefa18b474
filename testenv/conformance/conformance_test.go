package conformance_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/conformance"
)

var out = flag.String("out", "", "directory for conformance.txt")

// Both backends do what the table says of them.
func TestConformance(t *testing.T) {
	r := conformance.New()
	check(t, r.Play(testenv.Memory, func(play func()) {
		synctest.Test(t, func(*testing.T) { play() })
	}))
	for _, wrong := range r.Wrong() {
		t.Error(wrong)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
	if *out != "" {
		if err := os.MkdirAll(*out, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*out, "conformance.txt"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
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
