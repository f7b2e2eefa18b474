package exit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

func TestReplies(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want upstream.Reply
	}{
		{syscall.ECONNREFUSED, upstream.ConnectionRefused},
		{syscall.ECONNRESET, upstream.ConnectionRefused},
		{syscall.ENETUNREACH, upstream.NetworkUnreachable},
		{syscall.EHOSTUNREACH, upstream.HostUnreachable},
		{syscall.ETIMEDOUT, upstream.TTLExpired},
		{os.ErrDeadlineExceeded, upstream.TTLExpired},
		{syscall.EMFILE, upstream.GeneralFailure},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, upstream.HostUnreachable},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, upstream.GeneralFailure},
		{exit.ErrGuarded, upstream.NotAllowed},
		{upstream.Reply(8), upstream.AddressNotSupported},
		// The text of an error must not choose its code.
		{errors.New("refused: network is unreachable"), upstream.GeneralFailure},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			spec := start(t, &exit.Server{Dial: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("wrapped: %w", tc.err)}
			}})
			if _, err := dial(t, spec, "a.example:80"); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

// TestGuarded dials what the real dialer must not reach.
func TestGuarded(t *testing.T) {
	spec := start(t, &exit.Server{})
	to := netip.MustParseAddrPort(destination(t, echo)).Port()
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "169.254.169.254", "[64:ff9b::7f00:1]"} {
		if _, err := dial(t, spec, fmt.Sprintf("%s:%d", host, to)); !errors.Is(err, upstream.NotAllowed) {
			t.Errorf("%s: %v, want reply 2", host, err)
		}
	}
}

func TestRefusedForReal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	spec := start(t, &exit.Server{Allow: loopback})
	if _, err := dial(t, spec, l.Addr().String()); !errors.Is(err, upstream.ConnectionRefused) {
		t.Errorf("%v, want reply 5", err)
	}
}

// TestRaw sends bytes that no proper client does.
func TestRaw(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback})
	failed := func(code byte) []byte { return []byte{5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0} }
	for _, tc := range []struct {
		name string
		send []byte
		want []byte
	}{
		{"empty host", []byte{5, 1, 0, 5, 1, 0, 3, 0, 0, 80}, failed(2)},
		{"port zero", []byte{5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 0}, failed(2)},
		{"BIND", []byte{5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80}, failed(7)},
		{"UDP ASSOCIATE", []byte{5, 1, 0, 5, 3, 0, 1, 127, 0, 0, 1, 0, 80}, failed(7)},
		{"unknown command", []byte{5, 1, 0, 5, 9, 0, 1, 127, 0, 0, 1, 0, 80}, failed(7)},
		{"unknown address type", []byte{5, 1, 0, 5, 1, 0, 2, 0, 80}, failed(8)},
		{"password only", []byte{5, 1, 2}, []byte{5, 0xff}},
		{"no method at all", []byte{5, 0}, []byte{5, 0xff}},
		{"SOCKS4", []byte{4, 1, 0, 80, 127, 0, 0, 1, 0}, nil},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), nil},
	} {
		c, err := net.Dial("tcp", spec.Address())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = c.Write(tc.send)
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, tc.want) {
			t.Errorf("%s: %x, %v, want %x", tc.name, got, err, tc.want)
		}
		c.Close()
	}
}

func TestListenersThatStrangersReach(t *testing.T) {
	anywhere := netip.MustParsePrefix("0.0.0.0/0")
	for _, tc := range []struct {
		name string
		s    *exit.Server
		ok   bool
	}{
		{"nothing", &exit.Server{}, false},
		{"users", &exit.Server{Users: map[string]string{"me": "secret"}}, true},
		{"verify", &exit.Server{Verify: func(string, string) bool { return false }}, true},
		{"clients", &exit.Server{Clients: []netip.Prefix{anywhere}}, true},
		{"open", &exit.Server{Open: true}, true},
		{"a user without a name", &exit.Server{Users: map[string]string{"": "secret"}}, false},
	} {
		l := newPipes()
		served := make(chan error, 1)
		go func() { served <- tc.s.Serve(routable{l}) }()
		if tc.ok {
			c := l.dial() // it accepts
			tc.s.Close()
			c.Close()
		}
		err := <-served
		if tc.ok != errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("%s: Serve = %v", tc.name, err)
		}
	}
	if err := (&exit.Server{}).Serve(routable{newPipes()}); !errors.Is(err, exit.ErrOpen) {
		t.Errorf("Serve = %v, want ErrOpen", err)
	}
}

type routable struct{ *pipes }

func (routable) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(52, 58, 4, 7), Port: 1080} }

func TestMaxClients(t *testing.T) {
	spec := start(t, &exit.Server{MaxClients: 1, Allow: loopback})
	to := destination(t, echo)
	c, err := dial(t, spec, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, spec, to); err == nil {
		t.Error("a second client is served")
	}
	c.Close()
}

func TestClients(t *testing.T) {
	spec := start(t, &exit.Server{Clients: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	if _, err := dial(t, spec, "a.example:80"); err == nil {
		t.Error("a client that is not on the list is served")
	}
	spec = start(t, &exit.Server{Clients: loopback})
	if _, err := dial(t, spec, "127.0.0.1:80"); !errors.Is(err, upstream.NotAllowed) {
		t.Errorf("a client on the list: %v", err)
	}
}
