package remote_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/remote"
)

// own is a directory that only this user can enter.
func own(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "own")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// served is a world at a socket.
func served(t *testing.T, path string) {
	t.Helper()
	r := newRig(t)
	l, err := remote.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	serving := make(chan error)
	go func() { serving <- r.server.Serve(l) }()
	t.Cleanup(func() {
		if err := r.server.Close(); err != nil {
			t.Error(err)
		}
		// A test may be over before this begins.
		if err := <-serving; err != nil && !errors.Is(err, testenv.ErrClosed) {
			t.Error(err)
		}
	})
}

// TestSocket: the API is there, for nobody else, and gone when it is over.
func TestSocket(t *testing.T) {
	// A path longer than a socket's address can be.
	dir := filepath.Join(own(t), strings.Repeat("x", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "world")
	t.Run("served", func(t *testing.T) {
		served(t, path)
		w, err := remote.NewClient(path).World(t.Context())
		if err != nil || len(w.ISPs) != 2 {
			t.Fatalf("%+v, %v", w, err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if _, err := remote.Listen(path); !errors.Is(err, remote.ErrTaken) {
			t.Errorf("taken twice: %v", err)
		}
	})
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it stays: %v", err)
	}
	_, err := remote.NewClient(path).World(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "no world at "+path) {
		t.Errorf("%v", err)
	}
}

// TestSocketMakesItsDirectory, and only that one.
func TestSocketMakesItsDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "world")
	served(t, path)
	if info, err := os.Lstat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := remote.Listen(filepath.Join(t.TempDir(), "a", "b", "world")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestStaleSocket: what a killed world has left is replaced.
func TestStaleSocket(t *testing.T) {
	path := filepath.Join(own(t), "world")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	if _, err := remote.NewClient(path).World(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "no world at ") {
		t.Errorf("%v", err)
	}
	served(t, path)
	if _, err := remote.NewClient(path).World(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUnsafePlaces: a socket is not put where others could get at it.
func TestUnsafePlaces(t *testing.T) {
	refused := func(path, want string) {
		t.Helper()
		l, err := remote.Listen(path)
		if err == nil {
			_ = l.Close()
			t.Errorf("%s was taken", path)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", path, err, want)
		}
	}
	open := own(t)
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	refused(filepath.Join(open, "world"), "others can enter "+open)

	// Nobody is told to close what is for all.
	shared := own(t)
	if err := os.Chmod(shared, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	refused(filepath.Join(shared, "world"), "put it into a directory of its own, which is made: "+filepath.Join(shared, "paperplane", "world"))
	t.Chdir(open)
	refused("world", "put it into a directory of its own, which is made: paperplane/world")

	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(own(t), link); err != nil {
		t.Fatal(err)
	}
	refused(filepath.Join(link, "world"), "not a directory")

	dir := own(t)
	file := filepath.Join(dir, "world")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(file, "is no socket")
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file that was there: %q, %v", text, err)
	}

	// A lock that leads elsewhere is not followed.
	target := filepath.Join(t.TempDir(), "target")
	other := own(t)
	if err := os.Symlink(target, filepath.Join(other, "world.lock")); err != nil {
		t.Fatal(err)
	}
	refused(filepath.Join(other, "world"), "symbolic links")
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made through a link: %v", err)
	}

	if os.Getuid() == 0 {
		foreign := own(t)
		if err := os.Chown(foreign, 12345, -1); err != nil {
			t.Fatal(err)
		}
		refused(filepath.Join(foreign, "world"), "belongs to somebody else")
	}
}

// TestStranger: another user is refused, also where the socket lets them in,
// and does not trust a world of somebody else.
func TestStranger(t *testing.T) {
	const who = 65534
	if path := os.Getenv("STRANGERS_SOCKET"); path != "" {
		_, err := remote.NewClient(path).World(t.Context())
		fmt.Println("stranger:", err)
		return
	}
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root, to be somebody else")
		}
		t.Skip("needs root, to be somebody else")
	}
	path := filepath.Join(own(t), "world")
	served(t, path)
	for p, mode := range map[string]fs.FileMode{path: 0o666, filepath.Dir(path): 0o755, filepath.Dir(filepath.Dir(path)): 0o755, filepath.Dir(filepath.Dir(filepath.Dir(path))): 0o755} {
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestStranger$")
	cmd.Env = append(os.Environ(), "STRANGERS_SOCKET="+path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: who, Gid: who}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("stranger: this world is run by another user: you are 65534\n")) {
		t.Errorf("%v, %s", err, out)
	}
}
