package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

const ms = time.Millisecond

func seconds(s ...float64) (d []time.Duration) {
	for _, x := range s {
		d = append(d, time.Duration(x*float64(time.Second)))
	}
	return d
}

func path(b *border) memnet.Path {
	return memnet.Path{Near: 10 * ms, Far: 15 * ms, Border: b}
}

func TestSynScheduleAndTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &border{up: blocker.Discard}
		n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path { return path(b) })
		defer func() { _ = n.Close() }()
		h, _ := n.Host(home)
		start := time.Now()
		_, err := h.Dial(context.Background(), port)
		if !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) != 134*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		want := seconds(0, 1, 2, 3, 4, 5, 7, 11, 20, 36, 68)
		if got := b.times(blocker.Syn, start); !slices.Equal(got, want) {
			t.Errorf("SYN at %v, want %v", got, want)
		}
	})
}

func TestDialAnswers(t *testing.T) {
	for _, test := range []struct {
		name string
		act  blocker.Act
		want error
		took time.Duration
	}{
		{"closed port", blocker.Forward, syscall.ECONNREFUSED, 50 * ms},
		{"reset at the border", blocker.Forge, syscall.ECONNREFUSED, 20 * ms},
		{"rejected at the border", blocker.Refuse, syscall.EHOSTUNREACH, 20 * ms},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &border{up: test.act}
				n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path { return path(b) })
				defer func() { _ = n.Close() }()
				h, _ := n.Host(home)
				_, _ = n.Host(cloud)
				start := time.Now()
				_, err := h.Dial(context.Background(), port)
				if !errors.Is(err, test.want) || time.Since(start) != test.took {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(start), test.want, test.took)
				}
				if op := new(net.OpError); !errors.As(err, &op) || op.Op != "dial" {
					t.Errorf("%#v is no *net.OpError of a dial", err)
				}
			})
		})
	}
}

func TestDialCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(nil)
		defer func() { _ = n.Close() }()
		h, _ := n.Host(home)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, err := h.Dial(ctx, port)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if h.Connections() != 0 {
			t.Errorf("%d connections left", h.Connections())
		}
	})
}

// An established flow that is dropped takes about 78 kB and falls silent; when
// the path is back all of it arrives.
func TestDropOnEstablishedFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		b.set(blocker.Discard, blocker.Discard)
		sent := make([]byte, 200_000)
		for i := range sent {
			sent[i] = byte(rand.N(256))
		}
		_ = client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := client.Write(sent)
		if !errors.Is(err, os.ErrDeadlineExceeded) || n != 78_000 {
			t.Fatalf("wrote %d, %v", n, err)
		}
		f, _ := client.Flow()
		if f.Acked != 0 || f.Retransmits != 2 || f.Unacked == 0 {
			t.Errorf("%+v", f)
		}
		_ = client.SetWriteDeadline(time.Time{})
		start := time.Now()
		time.Sleep(10 * time.Second)
		b.set(blocker.Forward, blocker.Forward)
		go func() {
			_, _ = client.Write(sent[n:])
			_ = client.CloseWrite()
		}()
		got, err := io.ReadAll(server)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		// Retransmitted .25, .75, 1.75, 3.75, 7.75 and 15.75 s after it was
		// first sent, one second before start.
		if took := time.Since(start); took < 14*time.Second || took > 15*time.Second {
			t.Errorf("resumed after %v", took)
		}
		time.Sleep(50 * ms)
		if f, _ := client.Flow(); f.Unacked != 0 || f.Retransmits != 0 || f.Acked != int64(len(sent)) {
			t.Errorf("afterwards %+v", f)
		}
	})
}

func TestRTOMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		if err := client.SetRTOMax(time.Second); err != nil {
			t.Fatal(err)
		}
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("hello"))
		time.Sleep(20 * time.Second)
		b.set(blocker.Forward, blocker.Forward)
		start := time.Now()
		var buf [8]byte
		if n, err := server.Read(buf[:]); n != 5 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if took := time.Since(start); took > time.Second+25*ms {
			t.Errorf("resumed after %v", took)
		}
		// Without end: 120 s.
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("again"))
		start = time.Now()
		_, err := client.Read(buf[:])
		if took := time.Since(start); !errors.Is(err, syscall.ETIMEDOUT) || took < 120*time.Second || took > 122*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestRetransmissionGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, _, _ := pair(t, path(b))
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("hello"))
		start := time.Now()
		_, err := client.Read(make([]byte, 1))
		if took := time.Since(start); !errors.Is(err, syscall.ETIMEDOUT) || took < 15*time.Minute || took > 20*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// Lost acknowledgements look like lost data, but the data is there.
func TestOnlyAcknowledgementsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		b.set(blocker.Forward, blocker.Discard)
		_, _ = client.Write([]byte("hello"))
		time.Sleep(2 * time.Second)
		var buf [8]byte
		if n, err := server.Read(buf[:]); n != 5 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if f, _ := client.Flow(); f.Acked != 0 || f.Retransmits != 3 {
			t.Errorf("%+v", f)
		}
		b.set(blocker.Forward, blocker.Forward)
		time.Sleep(3 * time.Second)
		if f, _ := client.Flow(); f.Acked != 5 || f.Unacked != 0 {
			t.Errorf("afterwards %+v", f)
		}
		if f, _ := server.Flow(); f.Received != 5 {
			t.Errorf("server %+v", f)
		}
	})
}

func TestFreezeToTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &border{limit: 16 << 10}
		client, server, _ := pair(t, path(b))
		go func() { _, _ = server.Write(make([]byte, 1<<20)) }()
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := io.Copy(io.Discard, client)
		if n != 16<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d, %v", n, err)
		}
		_ = server.SetLinger(0)
		_ = server.Close()
	})
}

func TestForgedReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		b.set(blocker.Forge, blocker.Forge)
		start := time.Now()
		_, _ = client.Write([]byte("forbidden"))
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) || time.Since(start) != 20*ms {
			t.Errorf("client: %v after %v", err, time.Since(start))
		}
		_, err = server.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) || time.Since(start) != 25*ms {
			t.Errorf("server: %v after %v", err, time.Since(start))
		}
		if _, err := client.Write([]byte("x")); err == nil {
			t.Error("wrote to a connection that was reset")
		}
	})
}

func TestReaderThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_ = client.SetWriteDeadline(time.Now().Add(time.Hour))
		n, err := client.Write(make([]byte, 4<<20))
		if n != 1<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v", n, err)
		}
		if f, _ := client.Flow(); f.Unacked != 0 || f.Probes != 0 {
			t.Errorf("a full window looks like trouble: %+v", f)
		}
		_ = client.SetWriteDeadline(time.Time{})
		go func() { _, _ = client.Write(make([]byte, 3<<20)); _ = client.CloseWrite() }()
		if n, err := io.Copy(io.Discard, server); n != 4<<20 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	})
}

// A lost window update is found out by probing.
func TestZeroWindowProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		_ = client.SetWriteDeadline(time.Now().Add(time.Second))
		n, _ := client.Write(make([]byte, 2<<20))
		_ = client.SetWriteDeadline(time.Time{})
		b.set(blocker.Discard, blocker.Discard)
		time.Sleep(5 * time.Second)
		if f, _ := client.Flow(); f.Probes < 2 {
			t.Errorf("%+v", f)
		}
		buf := make([]byte, 1<<20)
		if m, err := io.ReadAtLeast(server, buf, 500_000); err != nil {
			t.Fatalf("%d, %v", m, err)
		}
		b.set(blocker.Forward, blocker.Forward)
		_ = client.CloseWrite()
		rest, err := io.Copy(io.Discard, server)
		if err != nil || rest < int64(n)-1<<20 {
			t.Errorf("rest %d, %v", rest, err)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	every := net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 5}
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, _, _ := pair(t, path(b))
		time.Sleep(time.Minute)
		start := time.Now()
		if err := client.SetKeepAliveConfig(every); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * ms)
		f, _ := client.Flow()
		if f.Probes != 0 || f.LastAck > 20*ms || f.LastRecv < time.Minute {
			t.Errorf("after an answered probe: %+v", f)
		}
		if got := b.times(blocker.Probe, start); len(got) != 1 || got[0] != 0 {
			t.Errorf("probes at %v, want one at once", got)
		}
		time.Sleep(10 * time.Second)
		if f, _ := client.Flow(); f.LastAck > 1100*ms {
			t.Errorf("alive: %+v", f)
		}
		b.set(blocker.Discard, blocker.Discard)
		time.Sleep(3 * time.Second)
		if f, _ := client.Flow(); f.Probes < 2 || f.Probes > 3 {
			t.Errorf("black hole: %+v", f)
		}
		start = time.Now()
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) > 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_, _ = client.Write([]byte("question"))
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after CloseWrite: %v", err)
		}
		q, err := io.ReadAll(server)
		if err != nil || string(q) != "question" {
			t.Fatalf("%q, %v", q, err)
		}
		_, _ = server.Write([]byte("answer"))
		_ = server.Close()
		a, err := io.ReadAll(client)
		if err != nil || string(a) != "answer" {
			t.Fatalf("%q, %v", a, err)
		}
	})
}

func TestClose(t *testing.T) {
	run := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	run("delivers in the background", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		_, _ = client.Write(make([]byte, 50_000))
		_ = client.Close()
		if k, err := io.Copy(io.Discard, server); k != 50_000 || err != nil {
			t.Errorf("%d, %v", k, err)
		}
		_ = server.Close()
		time.Sleep(time.Second)
		if k := n.Lookup(home).Connections() + n.Lookup(cloud).Connections(); k != 0 {
			t.Errorf("%d connections left", k)
		}
	})
	run("unread data means reset", func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_, _ = server.Write([]byte("unread"))
		time.Sleep(time.Second)
		_ = client.Close()
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
	run("linger zero means reset", func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_, _ = client.Write([]byte("arrives"))
		time.Sleep(time.Second)
		_ = client.SetLinger(0)
		_ = client.Close()
		time.Sleep(time.Second)
		if b, err := io.ReadAll(server); string(b) != "arrives" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q, %v", b, err)
		}
	})
	run("data to a closed end means reset", func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_ = client.Close()
		time.Sleep(time.Second)
		_, _ = server.Write([]byte("too late"))
		time.Sleep(time.Second)
		if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Error(err)
		}
	})
	run("gives up on a dead path", func(t *testing.T) {
		b := new(border)
		client, _, n := pair(t, path(b))
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("lost"))
		_ = client.Close()
		time.Sleep(5 * time.Minute)
		_ = n // the server still has its end, and knows nothing
	})
	run("wakes those who wait", func(t *testing.T) {
		client, _, _ := pair(t, path(new(border)))
		time.AfterFunc(time.Second, func() { _ = client.Close() })
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := client.Close(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestHostFails(t *testing.T) {
	run := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	run("process dies", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		n.Lookup(cloud).Abort()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := n.Lookup(home).Dial(context.Background(), port); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
	})
	run("machine dies", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		n.Lookup(cloud).Vanish()
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		_, _ = client.Write([]byte("hello?"))
		time.Sleep(3 * time.Second)
		if f, _ := client.Flow(); f.Retransmits < 2 {
			t.Errorf("%+v", f)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := n.Lookup(home).Dial(ctx, port); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	run("process hangs", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		h := n.Lookup(cloud)
		h.Hang()
		_, _ = client.Write([]byte("hello?"))
		_ = client.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second})
		time.Sleep(10 * time.Second)
		if f, _ := client.Flow(); f.Acked != 6 || f.Probes != 0 || f.LastAck > 1100*ms {
			t.Errorf("the kernel should answer: %+v", f)
		}
		if _, err := n.Lookup(home).Dial(context.Background(), port); err != nil {
			t.Errorf("the kernel should accept: %v", err)
		}
		time.AfterFunc(time.Second, h.Resume)
		start := time.Now()
		if k, err := server.Read(make([]byte, 10)); k != 6 || err != nil || time.Since(start) != time.Second {
			t.Errorf("%d, %v after %v", k, err, time.Since(start))
		}
	})
}

// Nothing is due on a connection that does nothing: an hour costs no event.
func TestIdleConnectionHasNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		_, _ = client.Write([]byte("hello"))
		_, _ = server.Read(make([]byte, 5))
		time.Sleep(time.Second)
		start := time.Now()
		time.Sleep(1000 * time.Hour)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, s := range b.seen {
			if s.at.After(start) {
				t.Errorf("%v at %v", s.Kind, s.at.Sub(start))
			}
		}
	})
}

func TestNetworkCloseWithDataInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, n := pair(t, path(b))
		done := make(chan error, 2)
		go func() { _, err := client.Write(make([]byte, 8<<20)); done <- err }()
		go func() { _, err := io.Copy(io.Discard, client); done <- err }()
		go func() { _, _ = server.Write(make([]byte, 100_000)) }()
		time.Sleep(time.Second)
		_ = n.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
}
