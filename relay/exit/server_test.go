package exit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// patience bounds what a test waits for before it is called broken.
const patience = 20 * time.Second

// start serves s on loopback and returns the spec to reach it by.
func start(t *testing.T, s *exit.Server) policy.Spec {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve = %v, want ErrServerClosed", err)
		}
	})
	spec, err := upstream.Parse(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// dial asks the endpoint for a destination.
func dial(t *testing.T, spec policy.Spec, destination string) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var d upstream.Dialer
	c, err := d.Connect(ctx, spec)
	if err != nil {
		return nil, err
	}
	s, err := d.Negotiate(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return s.Request(ctx, destination)
}

// destination is a TCP server that runs serve for each connection.
func destination(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			serve(c.(*net.TCPConn))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	c.CloseWrite()
}

func TestStreamCarriesBothWaysAndHalfCloses(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback})
	c, err := dial(t, spec, destination(t, echo))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	sent := bytes.Repeat([]byte("paperplane"), 200_000)
	go func() {
		_, _ = c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("echo of %d bytes: got %d, %v", len(sent), len(got), err)
	}
}

func TestEarlyDataArrives(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback})
	to := netip.MustParseAddrPort(destination(t, echo))
	c, err := net.Dial("tcp", spec.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	ip := to.Addr().As4()
	early := bytes.Repeat([]byte("early "), 1000)
	all := append([]byte{5, 1, 0, 5, 1, 0, 1, ip[0], ip[1], ip[2], ip[3], byte(to.Port() >> 8), byte(to.Port())}, early...)
	if _, err := c.Write(all); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte{5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0}, early...)
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes %x..., want %d %x...", len(got), got[:min(16, len(got))], len(want), want[:16])
	}
}

func TestReservedName(t *testing.T) {
	spec := start(t, &exit.Server{})
	for _, host := range []string{probe.ReservedHost, "PROBE.Paperplane.invalid."} {
		c, err := dial(t, spec, host+":80")
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(context.Context, string, string) (net.Conn, error) { return c, nil },
		}}
		resp, err := client.Get(fmt.Sprintf("http://%s/%d", probe.ReservedHost, 64<<10))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || len(body) != 64<<10 || resp.StatusCode != 200 {
			t.Errorf("%s: status %d, %d bytes, %v", host, resp.StatusCode, len(body), err)
		}
	}
}

func TestUsers(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback, Users: map[string]string{"me": "secret"}})
	to := destination(t, echo)
	for _, tc := range []struct {
		user, password string
		want           error
	}{
		{"me", "secret", nil},
		{"me", "Secret", upstream.ErrDenied},
		{"me", "", upstream.ErrDenied},
		{"you", "", upstream.ErrDenied},
		{"", "", upstream.ErrDenied},
	} {
		spec.User, spec.Password = tc.user, tc.password
		c, err := dial(t, spec, to)
		if !errors.Is(err, tc.want) {
			t.Errorf("%q:%q: %v, want %v", tc.user, tc.password, err, tc.want)
		}
		if err == nil {
			c.Close()
		}
	}
}
