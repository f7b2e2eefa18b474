package testenv_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

func TestCaptivePortal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		portal testenv.Portal
		want   string
		live   error // of a stream that was open before
		after  error // of the same when all is over
	}{
		{"redirects", testenv.Portal{}, testenv.PortalRedirect, os.ErrDeadlineExceeded, nil},
		{"denies and resets", testenv.Portal{Answer: testenv.PortalDenied, Reset: true}, testenv.PortalDenied, syscall.ECONNRESET, syscall.ECONNRESET},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			worldtest.Run(t, func(t *testing.T) {
				s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
				c, h := s.echo(t)
				upstream.Tune(c)
				began := time.Now()
				s.isp.Capture(test.portal)
				s.isp.Capture(testenv.Portal{Answer: "no\n"}) // is in force already
				if err := bounce(c, 100); !errors.Is(err, test.live) {
					t.Errorf("live stream: %v, want %v", err, test.live)
				}
				// Whoever is dialled, even nobody on a closed port, has the
				// portal's answer and is near.
				nobody := netip.MustParseAddrPort("52.58.9.9:443")
				for _, to := range []netip.AddrPort{netip.AddrPortFrom(h.Addr(), 7), nobody} {
					start := time.Now()
					d, err := s.isp.DialContext(context.Background(), "tcp", to.String())
					if err != nil {
						t.Fatal(err)
					}
					if d.RemoteAddr().String() != to.String() {
						t.Errorf("%v answers for %v", d.RemoteAddr(), to)
					}
					_, _ = io.WriteString(d, "\x05\x01\x00")
					b, err := io.ReadAll(d)
					if string(b) != test.want || err != nil || !justAfter(start, worldtest.Far(40*time.Millisecond)) {
						t.Errorf("%v: %q, %v after %v", to, b, err, time.Since(start))
					}
					_ = d.Close()
				}
				idle, err := s.dial(h, 7)
				if err != nil {
					t.Fatal(err)
				}
				s.isp.Release()
				if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("a connection to the portal when it is over: %v", err)
				}
				_ = idle.Close()
				over := time.Now()
				if test.after == nil {
					_ = c.SetReadDeadline(time.Now().Add(1200*time.Millisecond + worldtest.Tolerance()))
					if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
						t.Errorf("the stream that was silent: %v", err)
					}
				}
				d, err := s.dial(h, 7)
				if err != nil {
					t.Fatal(err)
				}
				if err := bounce(d, 1000); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				_ = d.Close()
				l := s.Ledger()
				if len(l.Hits) != 0 || len(l.Outages) != 1 || !l.Outages[0].Captive ||
					!just(l.Outages[0].From, began) || over.Sub(l.Outages[0].Until) > 20*time.Millisecond+worldtest.Tolerance() {
					t.Errorf("hits %v, outages %+v", l.Hits, l.Outages)
				}
				if p := l.Path("north", nobody); p.Dials != 0 {
					t.Errorf("the portal lets out: %+v", p)
				}
				if p := l.Path("north", netip.AddrPortFrom(h.Addr(), 7)); p.Dials != 2 || p.Blocked != 0 {
					t.Errorf("%+v", p)
				}
			})
		})
	}
}

// A cut network has no portal either, and one after the other they are two
// outages.
func TestPortalOnACutNetwork(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{})
		s.isp.Cut()
		time.Sleep(time.Second)
		s.isp.Capture(testenv.Portal{})
		if _, err := s.dial(s.endpoint, 1080); !timedOut(err) {
			t.Errorf("dial while cut: %v", err)
		}
		s.isp.Restore()
		c, err := s.dial(s.endpoint, 1080)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
		if b, _ := io.ReadAll(c); !strings.HasPrefix(string(b), "HTTP/1.1 302 ") {
			t.Errorf("%q", b)
		}
		_ = c.Close()
		o := s.Ledger().Outages
		if len(o) != 2 || o[0].Captive || !just(o[0].Until, o[0].From.Add(11*time.Second)) || !o[1].Captive || !o[1].Until.IsZero() {
			t.Errorf("%+v", o)
		}
		// The world closes with the portal in force.
	})
}
