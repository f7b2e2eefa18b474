package remote

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Variable is the environment variable that leads to a world's socket.
const Variable = "PAPERPLANE_WORLD_SOCKET"

// ErrTaken is returned by Listen if a world is served at that path already.
var ErrTaken = errors.New("a world is already there")

// Socket is the path of a user's world, where it is if nobody says otherwise: in
// $XDG_RUNTIME_DIR if that is a directory of this user's, since sudo may leave
// one of somebody else's there, or else in one of its own among temporary ones.
func Socket() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && owned(dir) {
		return filepath.Join(dir, "paperplane", "world")
	}
	return filepath.Join(os.TempDir(), "paperplane-"+strconv.Itoa(os.Getuid()), "world")
}

// errNoWorld says that nobody serves a path. Why is clear enough.
func errNoWorld(path string) error {
	return fmt.Errorf("no world at %s: 'paperplane world up' starts one, and %s leads to one elsewhere", path, Variable)
}
