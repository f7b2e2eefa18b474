//go:build linux

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
)

// TestPasswords goes through a relay and an endpoint that both want one, and
// looks for the passwords in everything that is said.
func TestPasswords(t *testing.T) {
	destination := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("it works"))
	}))
	defer destination.Close()
	exit := start(t, "exit", "--listen", "127.0.0.1:0", "--allow", "127.0.0.0/8", "--log-level", "debug",
		"--user", "ursula", "--pass-file", file(t, "pass", "exit-secret\n"))
	list := file(t, "endpoints.txt", "socks5://ursula:exit-secret@"+exit.Addr+"\n")
	relay := startRelay(t, "--endpoints", list, "--log-level", "debug",
		"--user", "carol", "--pass-file", file(t, "pass", "relay-secret\n"))

	curl(t, "it works", "-x", "socks5h://carol:relay-secret@"+relay.Addr, destination.URL)
	for _, login := range []string{"", "carol:wrong@", "ursula:exit-secret@", "carol:@"} {
		cmd := exec.CommandContext(t.Context(), need(t, "curl"), "-sS", "--noproxy", "", "-x", "socks5h://"+login+relay.Addr, destination.URL)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("%q comes in, and gets %q", login, out)
		}
	}
	for _, p := range []*drive.Process{exit, relay} {
		if code := p.Stop(t); code != 0 {
			t.Errorf("status %d", code)
		}
		if said := p.Said(); strings.Contains(said, "secret") {
			t.Errorf("a password is logged:\n%s", said)
		}
	}
}

// TestSilence holds that at the default level no destination is logged.
func TestSilence(t *testing.T) {
	destination := httptest.NewServer(http.NotFoundHandler())
	defer destination.Close()
	_, port, _ := strings.Cut(destination.Listener.Addr().String(), ":")
	exits, urls := startExits(t, 1)
	relay := startRelay(t, urls...)
	curl(t, "404 page not found\n", "-x", "socks5h://"+relay.Addr, "http://localhost:"+port+"/")
	for _, p := range append(exits, relay) {
		p.Stop(t)
		if said := p.Said(); strings.Contains(said, "localhost") || strings.Contains(said, port) {
			t.Errorf("a destination is logged:\n%s", said)
		}
	}
}
