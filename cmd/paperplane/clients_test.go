//go:build linux

package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestClients has the programs that people use talk through the relay.
func TestClients(t *testing.T) {
	_, urls := startExits(t, 2)
	relay := startRelay(t, urls...)
	const answer = "it works"
	destination := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answer)
	}))
	defer destination.Close()
	_, port, err := net.SplitHostPort(destination.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// An endpoint resolves the name, not the relay.
	byName := "http://localhost:" + port + "/"

	t.Run("curl", func(t *testing.T) {
		curl(t, answer, "-x", "socks5h://"+relay.Addr, byName)
	})
	t.Run("curl with a user", func(t *testing.T) {
		curl(t, answer, "-x", "socks5h://alice:any@"+relay.Addr, byName)
	})
	t.Run("http.Client", func(t *testing.T) {
		transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "socks5h", Host: relay.Addr})}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, byName, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != answer {
			t.Errorf("body %q, %v", body, err)
		}
	})
	t.Run("proxychains4", func(t *testing.T) {
		chains, curl := need(t, "proxychains4"), need(t, "curl")
		host, port, _ := strings.Cut(relay.Addr, ":")
		config := file(t, "proxychains.conf",
			"strict_chain\nquiet_mode\nproxy_dns\n[ProxyList]\nsocks5 "+host+" "+port+"\n")
		cmd := exec.CommandContext(t.Context(), chains, "-q", "-f", config, curl, "-sS", "--noproxy", "*", destination.URL)
		if out, err := cmd.Output(); err != nil || string(out) != answer {
			t.Errorf("said %q, %v", out, err)
		}
	})
	t.Run("what is not CONNECT is refused", func(t *testing.T) {
		for name, command := range map[string]byte{"BIND": 2, "UDP ASSOCIATE": 3} {
			c, err := net.Dial("tcp", relay.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte{5, 1, 0, 5, command, 0, 1, 127, 0, 0, 1, 0, 80}); err != nil {
				t.Fatal(err)
			}
			reply := make([]byte, 4)
			if _, err := io.ReadFull(c, reply); err != nil || reply[3] != 7 {
				t.Errorf("%s: answered % x, %v, want reply 7", name, reply, err)
			}
		}
	})
}

func curl(t *testing.T, want string, args ...string) {
	t.Helper()
	// An environment that names a proxy, or destinations without one, must not
	// decide the test.
	cmd := exec.CommandContext(t.Context(), need(t, "curl"), append([]string{"-sS", "--noproxy", ""}, args...)...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
		t.Errorf("curl said %q, %v", out, err)
	}
}
