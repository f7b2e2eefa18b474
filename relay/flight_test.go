package relay_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// rigHello is the first flight of a real TLS client.
func rigHello(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(near, &tls.Config{ServerName: "site.lab", MinVersion: tls.VersionTLS12}).Handshake()
	}()
	b := make([]byte, 8192)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	<-done
	near.Close()
	return b[:n]
}

// silentAt answers through every endpoint but the one, where it waits for ever
// (or for the end of the connection).
func silentAt(addr func() string) func(net.Conn) {
	return func(c net.Conn) {
		if c.RemoteAddr().(*net.TCPAddr).IP.String() == addr() {
			_, _ = io.Copy(io.Discard, c)
			return
		}
		tellVia(c)
	}
}

func TestFlightMoves(t *testing.T) {
	hello := string(rigHello(t))
	early := withEarlyData(hello)
	post := "POST / HTTP/1.1\r\nHost: site.lab\r\nContent-Length: 0\r\n\r\n"
	for _, tc := range []struct {
		name   string
		replay relay.Replay
		flight string
		moves  bool
	}{
		{"ClientHello", relay.Safe, hello, true},
		{"GET", relay.Safe, get, true},
		{"nothing", relay.Safe, "", true},
		{"POST", relay.Safe, post, false},
		{"two requests", relay.Safe, get + get, false},
		{"ClientHello and more", relay.Safe, hello + "x", false},
		{"half a request", relay.Safe, get[:20], true},
		{"a method", relay.Safe, "GET ", true},
		{"less than a method", relay.Safe, "GE", false},
		{"half a POST", relay.Safe, post[:20], false},
		{"a POST without its last byte", relay.Safe, post[:len(post)-1], false},
		{"another protocol's line", relay.Safe, "GET key\r\n", false},
		{"a request and a byte", relay.Safe, get + "x", false},
		{"half a ClientHello", relay.Safe, hello[:len(hello)/2], true},
		{"a ClientHello's first byte", relay.Safe, hello[:1], true},
		{"a ClientHello with early data", relay.Safe, early, false},
		{"all but the end of one", relay.Safe, early[:len(early)-1], true},
		{"half of it, never", relay.Never, hello[:len(hello)/2], false},
		{"any byte, always", relay.Always, "?", true},
		{"POST, always", relay.Always, post, true},
		{"too much, always", relay.Always, string(make([]byte, 65<<10)), false},
		{"GET, never", relay.Never, get, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inRig(t, rigConfig{relay: relay.Config{Replay: tc.replay}}, func(r *rig) {
				lost := r.first("a")
				addr := r.hosts[lost].Addr().String()
				if tc.flight == "" {
					r.serve(80, func(c net.Conn) {
						if a := c.RemoteAddr().(*net.TCPAddr).IP.String(); a != addr {
							_, _ = io.WriteString(c, a+"\n")
						}
						_, _ = io.Copy(io.Discard, c)
					})
				} else {
					r.serve(80, silentAt(func() string { return addr }))
				}
				c := r.mustOpen("a", "site.lab:80")
				defer c.Close()
				if _, err := io.WriteString(c, tc.flight); err != nil {
					t.Fatal(err)
				}
				time.Sleep(200 * time.Millisecond)
				r.hosts[lost].Abort() // RST, and refused from now on
				via, err := exchange(c, "")
				if tc.moves {
					if err != nil || via == addr || via == "" {
						t.Errorf("answer %q, %v; want it through another endpoint", via, err)
					}
				} else if !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("answer %q, %v; want a reset", via, err)
				}
				want := int64(0)
				if tc.moves {
					want = 1
				}
				if s := r.server.Stats(); s.Moved != want {
					t.Errorf("%d flights moved, want %d", s.Moved, want)
				}
			})
		})
	}
}

// withEarlyData appends the extension early_data, which is empty, to a
// ClientHello in one record.
func withEarlyData(hello string) string {
	b := append([]byte(hello), 0, 42, 0, 0)
	at := 5 + 4 + 34                               // the session's length
	at += 1 + int(b[at])                           // the suites'
	at += 2 + int(binary.BigEndian.Uint16(b[at:])) // the compressions'
	at += 1 + int(b[at])                           // the extensions'
	for _, length := range []int{at, 3, 7} {       // and the record's and the message's
		binary.BigEndian.PutUint16(b[length:], binary.BigEndian.Uint16(b[length:])+4)
	}
	return string(b)
}

// TestFlightMovesInPieces loses an endpoint after each piece of a flight. Only
// the last one may see the whole, and it must see it once; also where the end
// shows that the flight is one that may not be sent twice.
func TestFlightMovesInPieces(t *testing.T) {
	hello := string(rigHello(t))
	early := withEarlyData(hello)
	body := "GET / HTTP/1.1\r\nHost: site.lab\r\nContent-Length: 3\r\n\r\nabc"
	for name, pieces := range map[string][]string{
		"ClientHello":   {hello[:3], hello[3:100], hello[100:]},
		"early data":    {early[:50], early[50:] + "\x17\x03\x03\x00\x01x"},
		"GET":           {get[:5], get[5:30], get[30:]},
		"GET, and more": {body[:20], body[20:]},
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, rigConfig{}, func(r *rig) {
				whole := strings.Join(pieces, "")
				var mu sync.Mutex
				heard := make(map[string]string)
				r.serve(80, func(c net.Conn) {
					b := make([]byte, 4096)
					for {
						n, err := c.Read(b)
						if err != nil {
							return
						}
						mu.Lock()
						at := c.RemoteAddr().String()
						heard[at] += string(b[:n])
						ready := heard[at] == whole
						mu.Unlock()
						if ready {
							_, _ = io.WriteString(c, "whole\n")
						}
					}
				})
				c := r.mustOpen("a", "site.lab:80")
				defer c.Close()
				for i, piece := range pieces {
					if i > 0 {
						r.hosts[r.carrier()].Abort()
						time.Sleep(500 * time.Millisecond)
					}
					if _, err := io.WriteString(c, piece); err != nil {
						t.Error(err)
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
				if answer, err := exchange(c, ""); answer != "whole" {
					t.Errorf("answer %q, %v", answer, err)
				}
				mu.Lock()
				defer mu.Unlock()
				complete := 0
				for _, b := range heard {
					if b == whole {
						complete++
					} else if !strings.HasPrefix(whole, b) {
						t.Errorf("a destination heard %q", b)
					}
				}
				if complete != 1 || len(heard) != len(pieces) {
					t.Errorf("heard whole %d times at %d connections, want once at %d", complete, len(heard), len(pieces))
				}
			})
		})
	}
}

func TestFlightIsReplayedWhole(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		lost := r.first("a")
		addr := r.hosts[lost].Addr().String()
		got := make(chan string, 1)
		r.serve(80, func(c net.Conn) {
			b, _ := io.ReadAll(c) // up to the client's FIN
			if c.RemoteAddr().(*net.TCPAddr).IP.String() == addr {
				<-r.over
				return
			}
			got <- string(b)
			_, _ = io.WriteString(c, "ok\n")
		})
		c := r.connect()
		defer c.Close()
		if err := rigAsk(c, "a", "site.lab:80"); err != nil {
			t.Fatal(err)
		}
		// In three pieces, and half-closed after them.
		for _, part := range []string{get[:7], get[7:30], get[30:]} {
			_, _ = io.WriteString(c, part)
			time.Sleep(50 * time.Millisecond)
		}
		_ = c.CloseWrite()
		time.Sleep(100 * time.Millisecond)
		r.block(lost, blocker.Forge)
		// The blocker's RST comes when a packet crosses; keep-alive sends one.
		if answer, err := exchange(c, ""); answer != "ok" {
			t.Errorf("answer %q, %v", answer, err)
		}
		if sent := <-got; sent != get {
			t.Errorf("the second endpoint got %q", sent)
		}
		if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
			t.Errorf("the end was %q, %v; want FIN", rest, err)
		}
	})
}

func TestFlightMovesFromASilentPath(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		lost := r.first("a")
		addr := r.hosts[lost].Addr().String()
		r.serve(80, silentAt(func() string { return addr }))
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		r.block(lost, blocker.Discard) // after CONNECT, before the request
		start := time.Now()
		via, err := exchange(c, get)
		if err != nil || via == addr {
			t.Errorf("answer %q, %v; want it through another endpoint", via, err)
		}
		if took := time.Since(start); took > 2500*time.Millisecond {
			t.Errorf("the flight moved after %v, want 2.5 s at most", took)
		}
	})
}

func TestSlowFirstByteIsWaitedFor(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			time.Sleep(5 * time.Minute)
			_, _ = io.WriteString(c, "at last\n")
		})
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		if answer, err := exchange(c, get); answer != "at last" {
			t.Errorf("answer %q, %v", answer, err)
		}
		for n := range r.hosts {
			if s := r.state(n); s != policy.Active {
				t.Errorf("endpoint %d is %v after a slow destination", n, s)
			}
		}
		if s := r.server.Stats(); s.Moved != 0 || s.Cut != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestFlightThatFailsTwiceIsTheDestinations(t *testing.T) {
	for name, end := range map[string]func(c net.Conn){
		"FIN": func(c net.Conn) { _ = c.Close() },
		"RST": func(c net.Conn) { _ = c.(interface{ SetLinger(int) error }).SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, rigConfig{}, func(r *rig) {
				served := 0
				r.serve(80, func(c net.Conn) {
					_, _ = c.Read(make([]byte, 4096))
					r.mu.Lock()
					served++
					r.mu.Unlock()
					end(c)
				})
				for range 4 {
					c := r.mustOpen("a", "site.lab:80")
					_, err := exchange(c, get)
					if name == "FIN" && !errors.Is(err, io.EOF) || name == "RST" && !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("the client saw %v", err)
					}
					c.Close()
				}
				if served != 8 {
					t.Errorf("the destination was asked %d times, want twice for each request", served)
				}
				synctest.Wait()
				for n := range r.hosts {
					if s := r.state(n); s != policy.Active {
						t.Errorf("endpoint %d is %v, for a destination that hangs up", n, s)
					}
				}
			})
		})
	}
}

func TestTheOnlyEndpointsEndStands(t *testing.T) {
	inRig(t, rigConfig{endpoints: 1}, func(r *rig) {
		r.serve(80, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_ = c.(interface{ SetLinger(int) error }).SetLinger(0)
		})
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		start := time.Now()
		if _, err := exchange(c, get); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client saw %v", err)
		}
		if took := time.Since(start); took > 15*rigTrip {
			t.Errorf("the client was told after %v, though there was nobody else to ask", took)
		}
		if n := r.counted(r.asked, r.hosts[0].Addr().String()); n != 2 {
			t.Errorf("the endpoint was asked %d times, want twice", n)
		}
	})
}

// TestFlightReturnsToTheOnlyEndpoint blocks it for two seconds under a first
// flight: what comes back may be asked again, since the end was the blocker's.
func TestFlightReturnsToTheOnlyEndpoint(t *testing.T) {
	inRig(t, rigConfig{endpoints: 1}, func(r *rig) {
		var served atomic.Int32
		r.serve(80, func(c net.Conn) {
			if served.Add(1) == 1 {
				_, _ = io.Copy(io.Discard, c)
				return
			}
			tellVia(c)
		})
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		if _, err := io.WriteString(c, get); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		r.block(0, blocker.Forge)
		time.Sleep(2 * time.Second)
		r.block(0, blocker.Forward)
		if via, err := exchange(c, ""); err != nil || via == "" {
			t.Errorf("answer %q, %v", via, err)
		}
	})
}

func TestEarlyDataIsDelivered(t *testing.T) {
	// A client that does not wait for the relay's answer, in one segment.
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, func(c net.Conn) { _, _ = io.Copy(c, c) })
		c := r.connect()
		defer c.Close()
		early := bytes.Repeat([]byte("early "), 1000)
		_, _ = c.Write(append([]byte("\x05\x01\x00"+"\x05\x01\x00\x03\x08site.lab\x00\x50"), early...))
		_ = c.CloseWrite()
		head := make([]byte, 2+10)
		if _, err := io.ReadFull(c, head); err != nil || head[3] != 0 {
			t.Fatalf("answers % x, %v", head, err)
		}
		b, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(b, early) {
			t.Errorf("%d bytes came back, %v; want %d", len(b), err, len(early))
		}
	})
}

func TestClientResetEndsTheWayUp(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		ended := make(chan error, 1)
		r.serve(80, func(c net.Conn) {
			_, err := io.Copy(io.Discard, c)
			ended <- err
		})
		c := r.connect()
		if err := rigAsk(c, "a", "site.lab:80"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "x")
		time.Sleep(100 * time.Millisecond)
		_ = c.SetLinger(0)
		c.Close()
		select {
		case <-ended:
		case <-time.After(time.Second):
			t.Error("the destination still waits, 1 s after the client's reset")
		}
	})
}
