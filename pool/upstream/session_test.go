package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

var anonymous = policy.Spec{Host: "198.51.100.7", Port: 1080}

// step is a piece of an endpoint's script: it reads so many bytes, then writes.
type step struct {
	read  int
	write string
}

func run(c net.Conn, steps []step) (seen []byte) {
	for _, s := range steps {
		b := make([]byte, s.read)
		n, err := io.ReadFull(c, b)
		seen = append(seen, b[:n]...)
		if err != nil {
			return seen
		}
		if _, err := io.WriteString(c, s.write); err != nil {
			return seen
		}
	}
	return seen
}

// negotiate runs Negotiate against a script, after which the endpoint hangs up.
func negotiate(ctx context.Context, s policy.Spec, steps ...step) (*upstream.Session, net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		run(there, steps)
		there.Close()
	}()
	session, err := (&upstream.Dialer{}).Negotiate(ctx, here, s)
	return session, here, err
}

func TestNegotiateErrors(t *testing.T) {
	me := anonymous
	me.User, me.Password = "me", secret
	auth := 3 + len("me") + len(secret)
	for _, tc := range []struct {
		name    string
		spec    policy.Spec
		steps   []step
		is      error
		outcome policy.Outcome
	}{
		{"hangs up", anonymous, []step{{3, ""}}, io.EOF, policy.Closed},
		{"hangs up halfway", anonymous, []step{{3, "\x05"}}, io.ErrUnexpectedEOF, policy.Closed},
		{"not SOCKS5", anonymous, []step{{3, "HT"}}, upstream.ErrProtocol, policy.Garbage},
		{"SOCKS4", anonymous, []step{{3, "\x00\x5b"}}, upstream.ErrProtocol, policy.Garbage},
		{"no method", anonymous, []step{{3, "\x05\xff"}}, upstream.ErrDenied, policy.Denied},
		{"wants a password", anonymous, []step{{3, "\x05\x02"}}, upstream.ErrDenied, policy.Denied},
		{"wants GSSAPI", anonymous, []step{{3, "\x05\x01"}}, upstream.ErrProtocol, policy.Garbage},
		{"no method for a user", me, []step{{4, "\x05\xff"}}, upstream.ErrDenied, policy.Denied},
		{"wants GSSAPI of a user", me, []step{{4, "\x05\x01"}}, upstream.ErrProtocol, policy.Garbage},
		{"wrong password", me, []step{{4, "\x05\x02"}, {auth, "\x01\x01"}}, upstream.ErrDenied, policy.Denied},
		{"wrong version of authentication", me, []step{{4, "\x05\x02"}, {auth, "\x05\x00"}}, upstream.ErrProtocol, policy.Garbage},
		{"hangs up after the password", me, []step{{4, "\x05\x02"}, {auth, ""}}, io.EOF, policy.Closed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c, err := negotiate(t.Context(), tc.spec, tc.steps...)
			var e *upstream.Error
			switch {
			case err == nil:
				t.Fatalf("no error, session %v", s)
			case !errors.Is(err, tc.is) || upstream.Classify(err) != tc.outcome:
				t.Errorf("%v (%v), want %v (%v)", err, upstream.Classify(err), tc.is, tc.outcome)
			case !errors.As(err, &e) || e.Op != policy.Greeting || e.Endpoint != "198.51.100.7:1080":
				t.Errorf("not an *Error of the greeting: %#v", err)
			case strings.Contains(err.Error(), secret):
				t.Errorf("shows the password: %v", err)
			}
			if _, err := c.Write([]byte{0}); err == nil {
				t.Error("the connection is still open")
			}
		})
	}
}

// TestRequest looks at every byte on the wire, and at those after the reply.
func TestRequest(t *testing.T) {
	me := anonymous
	me.User, me.Password = "me", "pw"
	const head = "\x05\x00\x00"
	for _, tc := range []struct {
		name, destination, wire string
		spec                    policy.Spec
		reply                   string
	}{
		{"name", "example.com:443", "\x05\x01\x00" + "\x05\x01\x00\x03\x0bexample.com\x01\xbb", anonymous, head + "\x01\x00\x00\x00\x00\x00\x00"},
		{"IPv4", "203.0.113.9:80", "\x05\x01\x00" + "\x05\x01\x00\x01\xcb\x00\x71\x09\x00\x50", anonymous, head + "\x03\x04name\x00\x50"},
		{"IPv6 and a user", "[::1]:80", "\x05\x02\x00\x02" + "\x01\x02me\x02pw" + "\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x50", me, head + "\x04" + strings.Repeat("\x00", 18)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			here, there := net.Pipe()
			wire := make(chan []byte)
			go func() {
				steps := []step{{3, "\x05\x00"}}
				if tc.spec.User != "" {
					steps = []step{{4, "\x05\x02"}, {7, "\x01\x00"}}
				}
				sent := 0
				for _, s := range steps {
					sent += s.read
				}
				// The reply and the stream's first bytes in one piece.
				wire <- run(there, append(steps, step{len(tc.wire) - sent, tc.reply + "first bytes"}))
				there.Close()
			}()
			s, err := (&upstream.Dialer{}).Negotiate(t.Context(), here, tc.spec)
			if err != nil {
				t.Fatal(err)
			}
			if s.Conn() != here {
				t.Error("Conn is not the connection that was given")
			}
			c, err := s.Request(t.Context(), tc.destination)
			if err != nil {
				t.Fatal(err)
			}
			if c != here {
				t.Error("the stream is not the connection that was given")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			got := make([]byte, len("first bytes"))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != "first bytes" {
				t.Errorf("after the reply: %q, %v", got, err)
			}
			if sent := <-wire; !bytes.Equal(sent, []byte(tc.wire)) {
				t.Errorf("on the wire: %x, want %x", sent, tc.wire)
			}
			if _, err := s.Request(t.Context(), tc.destination); !errors.Is(err, upstream.ErrUsed) {
				t.Errorf("second request: %v", err)
			}
		})
	}
}

func TestRequestErrors(t *testing.T) {
	long := strings.Repeat("a", 256)
	for _, tc := range []struct {
		name, destination, answer string
		is                        error
		outcome                   policy.Outcome
		text                      string
	}{
		{"refused", "example.com:443", "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", upstream.ConnectionRefused, policy.Refused, "dial example.com:443 via 198.51.100.7:1080: connection refused (reply 5)"},
		{"unknown reply", "example.com:443", "\x05\x5b\x00\x01", upstream.Reply(0x5b), policy.Refused, "unknown (reply 91)"},
		{"not SOCKS5", "example.com:443", "HTTP/1.1 200 OK\r\n", upstream.ErrProtocol, policy.Garbage, "not SOCKS5"},
		{"reserved not zero", "example.com:443", "\x05\x00\x07\x01\x00\x00\x00\x00\x00\x00", upstream.ErrProtocol, policy.Garbage, ""},
		{"unknown address type", "example.com:443", "\x05\x00\x00\x07\x00\x00\x00\x00\x00\x00", upstream.ErrProtocol, policy.Garbage, ""},
		{"hangs up", "example.com:443", "", io.EOF, policy.Closed, "EOF"},
		{"hangs up halfway", "example.com:443", "\x05\x00\x00\x01\x00", io.ErrUnexpectedEOF, policy.Closed, ""},
		{"no port", "example.com", "", upstream.ErrDestination, policy.Local, ""},
		{"port zero", "example.com:0", "", upstream.ErrDestination, policy.Local, ""},
		{"no host", ":80", "", upstream.ErrDestination, policy.Local, ""},
		{"overlong host", long + ":80", "", upstream.ErrDestination, policy.Local, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c, err := negotiate(t.Context(), anonymous, step{3, "\x05\x00"}, step{7 + len("example.com"), tc.answer})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Request(t.Context(), tc.destination)
			var e *upstream.Error
			switch {
			case !errors.Is(err, tc.is) || upstream.Classify(err) != tc.outcome:
				t.Errorf("%v (%v), want %v (%v)", err, upstream.Classify(err), tc.is, tc.outcome)
			case !errors.As(err, &e) || e.Op != policy.Request || e.Destination != tc.destination:
				t.Errorf("not an *Error of the request: %#v", err)
			case !strings.Contains(err.Error(), tc.text):
				t.Errorf("%q, want %q in it", err, tc.text)
			}
			if r, ok := errors.AsType[upstream.Reply](tc.is); ok && e.Reply != r {
				t.Errorf("Reply = %d, want %d", e.Reply, r)
			}
			if _, err := c.Write([]byte{0}); err == nil {
				t.Error("the connection is still open")
			}
		})
	}
}

func TestConnectError(t *testing.T) {
	d := &upstream.Dialer{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}}
	_, err := d.Connect(t.Context(), anonymous)
	if err == nil || err.Error() != "connect 198.51.100.7:1080: connection refused" || upstream.Classify(err) != policy.Reset {
		t.Errorf("%v", err)
	}
}
