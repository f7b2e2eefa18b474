package testenv_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// What a SOCKS5 client with the password "p" of user "u" is told, and when it
// ends, if it asks for a CONNECT and sends "hello" with it.
func TestMisbehavingServices(t *testing.T) {
	t.Parallel()
	const (
		letIn  = "\x05\x02\x01\x00"
		silent = time.Duration(-1) // still open in the end
	)
	reply := func(code byte) string { return "\x05" + string(code) + "\x00\x01\x00\x00\x00\x00\x00\x00" }
	minute := worldtest.Span(time.Minute, 10*time.Second)
	banner := strings.Repeat(strings.Repeat("x", 30)+"\r\n", int((minute-worldtest.Tolerance())/time.Second))
	if !worldtest.RealTime() {
		banner += "$"
	}
	for _, test := range []struct {
		name  string
		serve func(net.Conn)
		want  string // the beginning, or all there is if it ends with "$"
		ends  time.Duration
	}{
		{"garbage", testenv.Garbage, "HTTP/1.1 400", silent},
		{"not socks", testenv.NotSocks, "HTTP/1.1 400", 0},
		{"close", testenv.CloseAtOnce, "$", 0},
		{"tarpit", testenv.Tarpit, "$", silent},
		{"endless banner", testenv.EndlessBanner, banner, silent},
		{"refuse", testenv.Refuse(5), letIn + reply(5) + "$", 0},
		{"no egress", testenv.NoEgress(testenv.ReplyHostUnreachable, 3*time.Second), letIn + reply(4) + "$", 3 * time.Second},
		{"grant and close", testenv.GrantAndClose, letIn + reply(0) + "$", 0},
		{"another password", testenv.AnotherPassword("u", "q"), "\x05\x02\x01\x01$", 0},
		{"the right password", testenv.AnotherPassword("u", "p"), letIn + reply(0) + "hello$", silent},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			worldtest.Run(t, func(t *testing.T) {
				s := newScene(t, testenv.ISPConfig{})
				h, _ := s.cloud.Host(netip.Addr{})
				if err := h.Serve(1080, test.serve); err != nil {
					t.Fatal(err)
				}
				c, err := s.dial(h, 1080)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				start := time.Now().Add(worldtest.Far(2 * 15 * time.Millisecond)) // the answer's round trip
				for _, part := range []string{"\x05\x02\x00\x02", "\x01\x01u\x01p", "\x05\x01\x00\x03\x01a\x00\x50", "hello"} {
					_, _ = io.WriteString(c, part)
				}
				_ = c.SetReadDeadline(start.Add(minute - time.Second/2))
				b, err := io.ReadAll(c)
				got, ended := string(b), !errors.Is(err, os.ErrDeadlineExceeded)
				if want, whole := strings.CutSuffix(test.want, "$"); !strings.HasPrefix(got, want) || whole && got != want {
					t.Errorf("%q, want %q", got, test.want)
				}
				took := time.Since(start).Round(time.Millisecond)
				if ended != (test.ends != silent) || ended && (took < test.ends || took > test.ends+100*time.Millisecond+worldtest.Tolerance()) {
					t.Errorf("%v after %v, want the end after %v", err, took, test.ends)
				}
			})
		})
	}
}

// A client that has no password to offer is told so at once (RFC 1928: 0xff).
func TestAnotherPasswordWithoutOne(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{})
		h, _ := s.cloud.Host(netip.Addr{})
		_ = h.Serve(1080, testenv.AnotherPassword("u", "q"))
		c, err := s.dial(h, 1080)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "\x05\x01\x00")
		if b, err := io.ReadAll(c); string(b) != "\x05\xff" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}
