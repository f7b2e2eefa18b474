package drive

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Build is the program, built once for all tests of a package. It is in a
// directory of its own, which Remove removes.
type Build struct {
	// Race has it built with the race detector.
	Race bool

	once sync.Once
	dir  string
	err  error
}

// Path returns where the program is.
func (b *Build) Path(t testing.TB) string {
	t.Helper()
	b.once.Do(b.make)
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, "paperplane")
}

func (b *Build) make() {
	if b.dir, b.err = os.MkdirTemp("", "paperplane"); b.err != nil {
		return
	}
	args := []string{"build", "-o", b.dir + "/"}
	if b.Race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/paperplane-relay/paperplane/cmd/paperplane")...).CombinedOutput()
	if err != nil {
		b.err = fmt.Errorf("go build: %w\n%s", err, out)
	}
}

// Remove removes the program, if it was built.
func (b *Build) Remove() {
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}
