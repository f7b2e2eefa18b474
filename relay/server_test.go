package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/relay"
)

func TestGreetingPicksOneMethod(t *testing.T) {
	users := map[string]string{"alice": "secret"}
	for _, tc := range []struct {
		name    string
		users   map[string]string
		methods string
		want    byte
	}{
		{"none", nil, "\x00", 0},
		{"both, none first", nil, "\x00\x01\x02", 2},
		{"login alone", nil, "\x02", 2},
		{"GSSAPI alone", nil, "\x01", 0xff},
		{"no method at all", nil, "", 0xff},
		{"none, with users", users, "\x00", 0xff},
		{"both, with users", users, "\x00\x02", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inRig(t, rigConfig{relay: relay.Config{Users: tc.users}}, func(r *rig) {
				c := r.connect()
				defer c.Close()
				_, _ = c.Write(append([]byte{5, byte(len(tc.methods))}, tc.methods...))
				var b [2]byte
				if _, err := io.ReadFull(c, b[:]); err != nil || b != [2]byte{5, tc.want} {
					t.Errorf("answer % x, %v; want method %d", b, err, tc.want)
				}
			})
		})
	}
}

func TestPasswords(t *testing.T) {
	inRig(t, rigConfig{relay: relay.Config{Users: map[string]string{"alice": "secret"}}}, func(r *rig) {
		r.serve(80, tellVia)
		for _, tc := range []struct {
			user, password string
			ok             bool
		}{{"alice", "secret", true}, {"alice", "Secret", false}, {"bob", "secret", false}, {"alice", "secrets", false}} {
			c := r.connect()
			d, err := proxy.SOCKS5("tcp", "", &proxy.Auth{User: tc.user, Password: tc.password}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.(interface {
				DialWithConn(context.Context, net.Conn, string, string) (net.Addr, error)
			}).DialWithConn(r.t.Context(), c, "tcp", "site.lab:80")
			if (err == nil) != tc.ok {
				t.Errorf("%s with %s: %v", tc.user, tc.password, err)
			}
			c.Close()
		}
	})
}

func TestUserNamesTellClientsApart(t *testing.T) {
	inRig(t, rigConfig{endpoints: 8}, func(r *rig) {
		r.serve(80, tellVia)
		for _, name := range []string{"a", "b", "c", "d"} {
			for range 3 {
				c := r.mustOpen(name, "site.lab:80")
				if via, err := exchange(c, get); via != r.hosts[r.first(name)].Addr().String() {
					t.Errorf("%s went via %s (%v), want its own first choice", name, via, err)
				}
				c.Close()
			}
		}
	})
}

func TestCommandsAndDestinationsThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		request string
		reply   byte
	}{
		"BIND":          {"\x05\x02\x00\x01\x01\x02\x03\x04\x00\x50", 7},
		"UDP ASSOCIATE": {"\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00", 7},
		"no command":    {"\x05\x09\x00\x01\x01\x02\x03\x04\x00\x50", 7},
		"address type":  {"\x05\x01\x00\x05\x01\x02\x03\x04\x00\x50", 8},
		"no host":       {"\x05\x01\x00\x03\x00\x00\x50", 1},
		"no port":       {"\x05\x01\x00\x01\x01\x02\x03\x04\x00\x00", 1},
		"a strange one": {"\x05\x01\x00\x03\x03a b\x00\x50", 1},
		"brackets":      {"\x05\x01\x00\x03\x05[::1]\x00\x50", 1},
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, rigConfig{}, func(r *rig) {
				dials := len(r.asked)
				c := r.connect()
				defer c.Close()
				if err := rigGreet(c, 0); err != nil {
					t.Fatal(err)
				}
				if code, err := rigRequest(c, []byte(tc.request)); err != nil || code != tc.reply {
					t.Errorf("reply %d, %v; want %d", code, err, tc.reply)
				}
				if len(r.asked) != dials {
					t.Error("an endpoint was asked")
				}
			})
		})
	}
}

func TestAddressesOfEveryKind(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	c := rigConfig{destination: func(_ context.Context, _ int, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, address)
		return nil, syscall.ECONNREFUSED
	}}
	want := []string{"site.lab:80", "192.0.2.7:443", "[2001:db8::7]:22"}
	inRig(t, c, func(r *rig) {
		for _, d := range want {
			if c, err := r.open("a", d); err == nil {
				c.Close()
				t.Errorf("%s was granted", d)
			}
		}
	})
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("endpoints were asked for %v, want %v: names unresolved", seen, want)
	}
}

func TestHandshakeHasATimeLimit(t *testing.T) {
	for name, part := range map[string]string{
		"nothing": "", "half a greeting": "\x05", "a greeting": "\x05\x01\x00", "half a request": "\x05\x01\x00\x05\x01",
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, rigConfig{}, func(r *rig) {
				c := r.connect()
				defer c.Close()
				_, _ = io.WriteString(c, part)
				start := time.Now()
				_, _ = io.Copy(io.Discard, c)
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("hung up after %v, want 10 s", took)
				}
			})
		})
	}
}

func TestClientsAboveTheLimitAreAnswered(t *testing.T) {
	inRig(t, rigConfig{relay: relay.Config{MaxClients: 2}}, func(r *rig) {
		r.serve(7, echo)
		a, b := r.mustOpen("a", "site.lab:7"), r.mustOpen("b", "site.lab:7")
		defer a.Close()
		c := r.connect()
		if code, err := rigReply(c, 7); err != nil || code != 1 {
			t.Errorf("reply %d, %v; want 1", code, err)
		}
		c.Close()
		if _, err := exchange(a, "still"); err != nil {
			t.Error(err)
		}
		b.Close()
		synctest.Wait()
		time.Sleep(time.Second)
		r.mustOpen("c", "site.lab:7").Close()
	})
}

// TestFlood has a thousand more connections than clients are allowed: the first
// of them are answered, once they have asked, and the others reset at once; the
// old streams do not notice.
func TestFlood(t *testing.T) {
	const polite, flood = 256, 1000
	inRig(t, rigConfig{relay: relay.Config{MaxClients: 2}}, func(r *rig) {
		r.serve(7, echo)
		a, b := r.mustOpen("a", "site.lab:7"), r.mustOpen("b", "site.lab:7")
		defer a.Close()
		defer b.Close()
		var asking []net.Conn
		reset := 0
		for range flood {
			c := r.connect()
			defer c.Close()
			synctest.Wait()
			if len(asking) < polite {
				asking = append(asking, c)
			} else if _, err := c.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNRESET) {
				reset++
			}
		}
		if reset != flood-polite {
			t.Errorf("%d connections were reset, want %d", reset, flood-polite)
		}
		if _, err := exchange(a, "still"); err != nil {
			t.Errorf("an old stream in the flood: %v", err)
		}
		for n, c := range asking {
			if code, err := rigReply(c, 7); err != nil || code != 1 {
				t.Errorf("connection %d above the limit: reply %d, %v; want 1", n, code, err)
			}
		}
		if _, err := exchange(b, "still"); err != nil {
			t.Errorf("an old stream after the flood: %v", err)
		}
	})
}

func TestShutdownDrains(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(7, echo)
		c, stubborn := r.mustOpen("a", "site.lab:7"), r.mustOpen("b", "site.lab:7")
		defer stubborn.Close()
		done := make(chan error, 1)
		start := time.Now()
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			done <- r.server.Shutdown(ctx)
		}()
		time.Sleep(time.Second)
		if _, err := exchange(c, "still here"); err != nil {
			t.Errorf("a stream while draining: %v", err)
		}
		c.Close()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("Shutdown took %v, want 30 s", took)
		}
		if _, err := exchange(stubborn, ""); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the stubborn stream ended with %v, want a reset", err)
		}
	})
}

func TestShutdownIsQuickWithoutClients(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		start := time.Now()
		if err := r.server.Shutdown(r.t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		l, err := r.home.ListenLoopback(1081)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.server.Serve(l); !errors.Is(err, relay.ErrServerClosed) {
			t.Errorf("Serve after Shutdown: %v", err)
		}
	})
}

func TestOpenListenerIsRefused(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		l, err := r.home.Listen(1082) // on 192.168.1.2
		if err != nil {
			t.Fatal(err)
		}
		if err := r.server.Serve(l); !errors.Is(err, relay.ErrOpen) {
			t.Errorf("Serve: %v", err)
		}
	})
	inRig(t, rigConfig{relay: relay.Config{Users: map[string]string{"u": "p"}}}, func(r *rig) {
		l, err := r.home.Listen(1082)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- r.server.Serve(l) }()
		synctest.Wait()
		r.server.Close()
		if err := <-done; !errors.Is(err, relay.ErrServerClosed) {
			t.Errorf("Serve with users: %v", err)
		}
	})
}

// flaky fails to accept a few times first.
type flaky struct {
	net.Listener
	fails int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.fails > 0 {
		f.fails--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func TestServeSurvivesFailedAccepts(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(7, echo)
		l, err := r.home.ListenLoopback(1083)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		start := time.Now()
		go func() { done <- r.server.Serve(&flaky{l, 3}) }()
		c, err := r.home.Dial(r.t.Context(), l.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := rigGreet(c, 0); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != (5+10+20)*time.Millisecond {
			t.Errorf("served after %v, want pauses of 5, 10 and 20 ms", took)
		}
		r.server.Close()
		<-done
	})
}

func TestLogNamesNoDestination(t *testing.T) {
	var log bytes.Buffer
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})
	c := rigConfig{relay: relay.Config{Logger: slog.New(handler)}}
	inRig(t, c, func(r *rig) {
		r.serve(80, tellVia)
		conn := r.mustOpen("alice", "site.lab:80")
		_, _ = exchange(conn, get)
		conn.Close()
		if c, err := r.open("alice", "site.lab:81"); err == nil {
			c.Close()
		}
	})
	if got := strings.Count(log.String(), "stream ended"); got != 1 {
		t.Errorf("%d lines for one stream:\n%s", got, &log)
	}
	for _, secret := range []string{"site", "93.184", ":80"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q:\n%s", secret, &log)
		}
	}
}

func TestServerNeedsAPool(t *testing.T) {
	if _, err := relay.New(relay.Config{}); err == nil {
		t.Error("no error")
	}
	p, err := pool.New(pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := relay.New(relay.Config{Pool: p})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close without Serve: %v", err)
	}
}
