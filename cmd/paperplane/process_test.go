//go:build linux

package main

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
)

// start runs the program with args and waits until it says where it listens.
func start(t *testing.T, args ...string) *drive.Process {
	t.Helper()
	cmd := exec.Command(built(t), args...)
	// Nothing is left behind by a test that is killed, either.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return drive.Start(t, (*exec.Cmd).Start, cmd)
}

// startExits runs n endpoints, each on an address in a prefix of its own, and
// returns them with their URLs.
func startExits(t *testing.T, n int) (exits []*drive.Process, urls []string) {
	t.Helper()
	for i := range n {
		e := start(t, "exit", "--listen", "127.0."+string(rune('1'+i))+".1:0", "--allow", "127.0.0.0/8", "--allow", "::1/128")
		exits = append(exits, e)
		urls = append(urls, "socks5://"+e.Addr)
	}
	return exits, urls
}

// startRelay runs a relay with these arguments on a free port.
func startRelay(t *testing.T, args ...string) *drive.Process {
	t.Helper()
	return start(t, append([]string{"relay", "--listen", "127.0.0.1:0"}, args...)...)
}
