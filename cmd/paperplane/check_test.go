//go:build linux

package main

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
)

// TestCheck looks at endpoints of every kind that loopback can offer.
func TestCheck(t *testing.T) {
	pass := file(t, "pass", "secret\n")
	_, urls := startExits(t, 1)
	locked := start(t, "exit", "--listen", "127.0.0.1:0", "--user", "u", "--pass-file", pass)
	list := file(t, "endpoints.txt", strings.Join([]string{
		urls[0] + "  provider=loopback region=here",
		"socks5://u:secret@" + locked.Addr,
		"socks5://127.0.0.1:" + unusedPort(t),
		"socks5://" + speakerOf(t, "220 mail.example ESMTP\r\n"),
	}, "\n"))

	code, stdout, stderr := call(t, "", "check", "--json", "--endpoints", list)
	if code != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", code, stderr)
	}
	var document struct {
		Alive     int
		Endpoints []struct {
			Endpoint, Provider, Region, Verdict, Why string
			RTT                                      *float64 `json:"rtt_ms"`
			Uploaded                                 int64    `json:"uploaded_bytes"`
			Views                                    []struct{ Through, Shows string }
			Rate                                     *float64 `json:"rate_bytes_per_second"`
		}
	}
	d := json.NewDecoder(strings.NewReader(stdout))
	if err := d.Decode(&document); err != nil {
		t.Fatal(err)
	}
	if document.Alive != 2 || len(document.Endpoints) != 4 || d.More() {
		t.Fatalf("got %s", stdout)
	}
	for i, want := range []string{"alive", "alive", "down", "misconfigured"} {
		e := document.Endpoints[i]
		if e.Verdict != want || e.Why == "" || (e.Rate != nil) != (want == "alive") {
			t.Errorf("endpoint %d: %+v, want it to be %s", i+1, e, want)
		}
	}
	// The one that is locked up may not reach loopback, so that it has no view.
	if e := document.Endpoints[2]; len(e.Views) != 2 || e.Views[0].Shows == e.Views[1].Shows {
		t.Errorf("got %+v", e)
	}
	if e := document.Endpoints[1]; len(e.Views) != 0 || e.Uploaded < 64<<10 {
		t.Errorf("got %+v", e)
	}
	if e := document.Endpoints[0]; e.Provider != "loopback" || e.Region != "here" || e.RTT == nil {
		t.Errorf("got %+v", e)
	}
	if strings.Contains(stdout, "secret") {
		t.Errorf("a secret is shown:\n%s", stdout)
	}

	code, stdout, _ = call(t, "", "check", "--endpoints", list)
	if lines := strings.Split(stdout, "\n"); code != 0 || len(lines) != 7 || lines[5] != "2 of 4 endpoints alive" {
		t.Errorf("status %d, table\n%s", code, stdout)
	}

	code, stdout, stderr = call(t, "", "check", "socks5://127.0.0.1:"+unusedPort(t), "socks5://u:wrong@"+locked.Addr)
	if code != 1 || stderr != "paperplane check: no endpoint is alive\n" || !strings.Contains(stdout, "0 of 2 endpoints alive") {
		t.Errorf("status %d, stderr %q, table\n%s", code, stderr, stdout)
	}
}

// unusedPort is one that nobody listens on.
func unusedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// speakerOf listens, and says these words to everybody.
func speakerOf(t *testing.T, words string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, words)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}
