package relay_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// stops are the outcomes that speak of a flow that has stopped or is slow.
var stops = []policy.Outcome{policy.Silent, policy.Stalled, policy.Slowed, policy.Overdue, policy.Resumed}

// gush sends without end to whoever asks, and gulp takes all that is sent.
func gush(c net.Conn) {
	if _, err := c.Read(make([]byte, 4096)); err == nil {
		_, _ = c.Write(make([]byte, 4<<20))
	}
}

func gulp(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// TestFrozenStreamIsTold freezes flows after some bytes. New connections to the
// endpoint are answered all the while.
func TestFrozenStreamIsTold(t *testing.T) {
	for _, kib := range []int64{8, 16, 24, 48, 96, 256} {
		for _, up := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d KiB, up %v", kib, up), func(t *testing.T) {
				inRig(t, rigConfig{}, func(r *rig) { freezes(r, kib<<10, up) })
			})
		}
	}
}

func freezes(r *rig, size int64, up bool) {
	t := r.t
	r.serve(80, gush)
	r.serve(81, gulp)
	n := r.first("a")
	r.rule(n, blocker.Freeze(size))
	c := r.mustOpen("a", map[bool]string{false: "site.lab:80", true: "site.lab:81"}[up])
	defer c.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if up {
			for { // so that little is under way
				if _, err := c.Write(make([]byte, 1<<10)); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		} else if _, err := io.WriteString(c, get); err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	time.Sleep(8 * time.Second)
	c.Close()
	<-done

	lost := r.lostAt(n)
	all := r.tellings(policy.Transfer, policy.Silent)
	if len(all) != 1 {
		t.Errorf("told %d times that the stream is silent, want once: %+v", len(all), all)
		return
	}
	ev := all[0]
	if ev.endpoint != n || ev.Destination == 0 {
		t.Errorf("told %+v, want endpoint %d and some destination", ev, n)
	}
	if took := ev.At.Sub(lost); took > 3*time.Second {
		t.Errorf("told %v after the first packet was lost, want at most 3 s", took)
	}
	if ev.Asked.Before(lost.Add(-rigTrip)) || !ev.Asked.Before(ev.At) {
		t.Errorf("asked %v and seen %v after the first packet was lost", ev.Asked.Sub(lost), ev.At.Sub(lost))
	}
	// The handshake and the request, and what was under way.
	went, other := ev.Bytes, ev.Sent
	if up {
		went, other = other, went
	}
	const slack = 8 << 10
	if went > size || went < size-slack || other > 512 {
		t.Errorf("told of %d bytes down and %d up, want about %d", ev.Bytes, ev.Sent, size)
	}
	if all := r.tellings(policy.Transfer, policy.Resumed); len(all) > 0 {
		t.Errorf("told that it goes on: %+v", all)
	}
}

// TestSilenceThatEndsIsTold lifts a freeze as soon as the pool knows of it.
func TestSilenceThatEndsIsTold(t *testing.T) {
	for _, up := range []bool{false, true} {
		for _, size := range []int64{6 << 10, 64 << 10} { // in mid-flow, and too early for that
			t.Run(fmt.Sprintf("%d bytes, up %v", size, up), func(t *testing.T) {
				inRig(t, rigConfig{noProbes: true}, func(r *rig) {
					r.serve(80, gush)
					r.serve(81, gulp)
					n := r.first("a")
					r.rule(n, blocker.Freeze(size))
					c := r.mustOpen("a", map[bool]string{false: "site.lab:80", true: "site.lab:81"}[up])
					done := make(chan error, 1)
					go func() {
						var err error
						if up {
							_, err = c.Write(make([]byte, 4<<20))
						} else if _, err = io.WriteString(c, get); err == nil {
							_, err = io.CopyN(io.Discard, c, 4<<20)
						}
						done <- err
					}()
					for len(r.tellings(policy.Transfer, policy.Silent)) == 0 {
						time.Sleep(10 * time.Millisecond)
					}
					r.rule(n)
					if err := <-done; err != nil {
						t.Errorf("the stream has not gone on: %v", err)
					}
					time.Sleep(time.Second)
					if all := r.tellings(policy.Transfer, policy.Resumed); len(all) != 1 || all[0].endpoint != n {
						t.Errorf("told %+v, want once that it goes on", all)
					}
					if all := r.tellings(policy.Transfer, policy.Silent); len(all) != 1 {
						t.Errorf("told %d times that it is silent, want once", len(all))
					}
					c.Close()
				})
			})
		}
	}
}

// TestManySilentStreamsAreAllTold freezes 30 flows at once: each of them counts.
func TestManySilentStreamsAreAllTold(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		const streams = 30
		r.serve(80, gush)
		n := r.first("a")
		var clients []net.Conn
		for range streams {
			c := r.mustOpen("a", "site.lab:80")
			defer c.Close()
			clients = append(clients, c)
		}
		r.rule(n, blocker.Freeze(16<<10))
		for _, c := range clients {
			go func() {
				if _, err := io.WriteString(c, get); err == nil {
					_, _ = io.Copy(io.Discard, c)
				}
			}()
		}
		time.Sleep(4 * time.Second)
		all := r.tellings(policy.Transfer, policy.Silent)
		if len(all) != streams {
			t.Errorf("told of %d silent streams, want %d", len(all), streams)
		}
		for _, ev := range all {
			if took := ev.At.Sub(r.lostAt(n)); took > 3*time.Second {
				t.Errorf("told %v after the first packet was lost", took)
			}
		}
	})
}

// TestNoStall is all that looks like a silence and is none.
func TestNoStall(t *testing.T) {
	writes := func(size int, pause time.Duration) func(*rig, net.Conn) {
		return func(r *rig, c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			for {
				if _, err := c.Write(make([]byte, size)); err != nil {
					return
				}
				select {
				case <-time.After(pause):
				case <-r.over:
					return
				}
			}
		}
	}
	read := func(_ *rig, c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for _, c := range []struct {
		name   string
		trip   time.Duration
		server func(*rig, net.Conn)
		client func(*rig, net.Conn)
	}{
		{"an idle long-poll", 0, writes(1, 10*time.Minute), read},
		{"an idle long-poll far away", 1500 * time.Millisecond, writes(1, 10*time.Minute), read},
		{"a long-poll that has brought much before", 0, func(r *rig, c net.Conn) {
			for range 2 {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write(make([]byte, 20<<10))
			}
			_, _ = c.Read(make([]byte, 4096))
			<-r.over
		}, func(_ *rig, c net.Conn) {
			for range 2 {
				_, _ = io.ReadFull(c, make([]byte, 20<<10))
				_, _ = io.WriteString(c, get)
			}
			_, _ = io.Copy(io.Discard, c)
		}},
		{"a server that writes a little, often", 0, writes(1<<10, 150*time.Millisecond), read},
		{"a server that writes a little, now and then", 0, writes(1<<10, 3*time.Second), read},
		{"a client that does not read", 0, writes(4<<20, 0), func(r *rig, _ net.Conn) { <-r.over }},
		{"a server that does not read", 0, func(r *rig, _ net.Conn) { <-r.over }, func(_ *rig, c net.Conn) {
			_, _ = c.Write(make([]byte, 64<<20))
		}},
		{"a server that reads slowly", 0, func(r *rig, c net.Conn) {
			for {
				if _, err := c.Read(make([]byte, 4<<10)); err != nil {
					return
				}
				select {
				case <-time.After(200 * time.Millisecond):
				case <-r.over:
					return
				}
			}
		}, func(_ *rig, c net.Conn) {
			_, _ = c.Write(make([]byte, 64<<20))
		}},
		{"a client that has ended its side", 0, func(r *rig, c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
			_, _ = c.Write(make([]byte, 20<<10))
			<-r.over
		}, func(r *rig, c net.Conn) {
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			read(r, c)
		}},
		{"a server that has ended its side", 0, func(r *rig, c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(make([]byte, 20<<10))
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			<-r.over
		}, func(r *rig, c net.Conn) { read(r, c); <-r.over }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRig(t, rigConfig{trip: c.trip}, func(r *rig) {
				r.serve(80, func(s net.Conn) { c.server(r, s) })
				s := r.mustOpen("a", "site.lab:80")
				if _, err := io.WriteString(s, get); err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				go func() { defer close(done); c.client(r, s) }()
				time.Sleep(5 * time.Minute)
				for _, ev := range r.tellings(policy.Transfer, stops...) {
					t.Errorf("told %+v", ev)
				}
				s.Close()
				go func() { <-done }()
			})
		})
	}
}

// TestLullIsTakenBack is a sender that stops in the middle and says nothing for
// long: a doubt, until its path answers.
func TestLullIsTakenBack(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(make([]byte, 64<<10))
			<-r.over
		})
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		if _, err := io.WriteString(c, get); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
		stopped := time.Now()
		go func() { _, _ = io.Copy(io.Discard, c) }()
		time.Sleep(58 * time.Second)
		all := r.tellings(policy.Transfer, stops...)
		if len(all) != 2 || all[0].Outcome != policy.Stalled || all[1].Outcome != policy.Resumed {
			t.Errorf("told %+v, want a stall and that it was none", all)
			return
		}
		if took := all[1].At.Sub(stopped); took > 1500*time.Millisecond {
			t.Errorf("the stall was taken back after %v, want 1.5 s", took)
		}
	})
}
