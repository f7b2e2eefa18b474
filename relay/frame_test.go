package relay

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/armon/go-socks5"
)

func TestFramesEndWhereTheyShould(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lacks func([]byte) int
		frame string
	}{
		{"greeting", greetingLacks, "\x05\x03\x00\x01\x02"},
		{"greeting without methods", greetingLacks, "\x05\x00"},
		{"login", loginLacks, "\x01\x04user\x04pass"},
		{"login without a name", loginLacks, "\x01\x00\x00"},
		{"IPv4", requestLacks, "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"},
		{"IPv6", requestLacks, "\x05\x01\x00\x04" + string(net.IPv6loopback) + "\x00\x50"},
		{"name", requestLacks, "\x05\x01\x00\x03\x08site.lab\x00\x50"},
		{"empty name", requestLacks, "\x05\x01\x00\x03\x00\x00\x50"},
	} {
		// However the bytes come: never past the end, and at last to it.
		n := 0
		for more := tc.lacks(nil); more > 0; more = tc.lacks([]byte(tc.frame[:n])) {
			n += more
			if n > len(tc.frame) {
				t.Fatalf("%s: reads %d bytes beyond the end", tc.name, n-len(tc.frame))
			}
		}
		if n != len(tc.frame) {
			t.Errorf("%s: %d bytes read, want %d", tc.name, n, len(tc.frame))
		}
	}
}

// FuzzHandshake holds the frames against go-socks5: whatever a client sends,
// go-socks5 must see the same request through a front as on the bare connection,
// and what comes after the request must be left.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte("\x05\x01\x00" + "\x05\x01\x00\x03\x08site.lab\x00\x50" + "early data"))
	f.Add([]byte("\x05\x02\x00\x02" + "\x01\x01a\x01b" + "\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb"))
	f.Add([]byte("\x05\x01\x00" + "\x05\x03\x00\x04" + string(net.IPv6loopback) + "\x00\x50"))
	f.Add([]byte("\x05\x01\x00" + "\x05\x01\x00\x09"))
	f.Add([]byte("\x04\x01\x00\x50\x01\x02\x03\x04\x00"))
	server, err := New(Config{Pool: nobody(f)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		wire := &tape{Reader: bytes.NewReader(b)}
		s := newSession(server, wire, false)
		greeting, err := s.greet()
		if err != nil {
			return
		}
		front := &front{session: s, pending: greeting, method: greeting[2]}
		got, asked := destinationOf(t, front, front.method, s)
		if !asked {
			return
		}
		early, _ := s.reader.Peek(s.reader.Buffered())
		rest, _ := io.ReadAll(wire.Reader)
		left := append(append([]byte(nil), early...), rest...)
		if !bytes.HasSuffix(b, left) {
			t.Fatalf("%q is left of %q", left, b)
		}
		head := b[:len(b)-len(left)]
		// The bare connection, with the greeting as the front has it.
		bare := append(append([]byte(nil), greeting...), head[2+int(b[1]):]...)
		want, _ := destinationOf(t, &tape{Reader: bytes.NewReader(bare)}, front.method, s)
		if got != want {
			t.Errorf("destination %q, bare %q", got, want)
		}
	})
}

// destinationOf runs go-socks5 on c up to its Dial hook.
func destinationOf(t *testing.T, c net.Conn, method byte, credentials socks5.CredentialStore) (destination string, asked bool) {
	t.Helper()
	cfg := &socks5.Config{
		AuthMethods: []socks5.Authenticator{socks5.NoAuthAuthenticator{}},
		Resolver:    endpointResolves{},
		Logger:      log.New(io.Discard, "", 0),
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			destination, asked = address, true
			return nil, io.EOF
		},
	}
	if method == methodLogin {
		cfg.AuthMethods[0] = socks5.UserPassAuthenticator{Credentials: credentials}
	}
	server, err := socks5.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = server.ServeConn(c)
	return destination, asked
}

// tape is a connection that plays what a client said, and forgets the answers.
type tape struct{ io.Reader }

func (*tape) Write(p []byte) (int, error)      { return len(p), nil }
func (*tape) Close() error                     { return nil }
func (*tape) LocalAddr() net.Addr              { return nowhere }
func (*tape) RemoteAddr() net.Addr             { return nowhere }
func (*tape) SetDeadline(time.Time) error      { return nil }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }
