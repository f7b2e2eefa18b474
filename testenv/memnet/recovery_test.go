package memnet_test

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// rough is a line on which a loss could happen, and does not.
func rough() *memnet.Line {
	l := new(memnet.Line)
	l.Lose(memnet.Loss{Share: 1e-15}, memnet.Loss{Share: 1e-15})
	return l
}

// sends are the offsets of what a border has seen of a direction, and when.
func sends(b *border, dir blocker.Direction, since time.Time) (offsets []int64, at []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.seen {
		if s.Dir == dir && s.Size > 0 {
			offsets, at = append(offsets, s.Offset), append(at, s.at.Sub(since))
		}
	}
	return offsets, at
}

// One message of four is lost; the three that follow tell of it.
func TestFastRetransmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		p := path(b)
		p.NearLine = rough()
		client, server, _ := pair(t, p)
		start := time.Now()
		for n := range 4 {
			act := blocker.Forward
			if n == 0 {
				act = blocker.Discard
			}
			b.set(act, blocker.Forward)
			_, _ = client.Write(make([]byte, 100))
			time.Sleep(ms)
		}
		if _, err := io.ReadFull(server, make([]byte, 400)); err != nil {
			t.Fatal(err)
		}
		// The third after it is sent at 3 ms and answered 50 ms later; half a
		// round trip after that the gap is closed.
		if took := time.Since(start); took != 3*ms+50*ms+25*ms {
			t.Errorf("arrived after %v", took)
		}
		offsets, at := sends(b, blocker.Up, start)
		if want := []int64{0, 100, 200, 300, 0}; !slices.Equal(offsets, want) || at[4] != 53*ms {
			t.Errorf("sent %v at %v", offsets, at)
		}
		time.Sleep(50 * ms)
		f, _ := client.Flow()
		g, _ := server.Flow()
		if f.SegmentsOut != 5 || f.Resent != 1 || f.Retransmits != 0 || f.Acked != 400 {
			t.Errorf("the sender's: %+v", f)
		}
		if g.SegmentsIn != 4 || g.Disordered != 3 || g.Received != 400 {
			t.Errorf("the receiver's: %+v", g)
		}
	})
}

// With nothing behind it, a lost segment is a matter for the timer: 200 ms and
// a round trip, doubling.
func TestTailLossTakesTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		p := path(b)
		p.FarLine = rough()
		client, server, _ := pair(t, p)
		b.set(blocker.Discard, blocker.Forward)
		start := time.Now()
		_, _ = client.Write(make([]byte, 3000)) // three segments
		time.Sleep(2 * time.Second)
		b.set(blocker.Forward, blocker.Forward)
		if _, err := io.ReadFull(server, make([]byte, 3000)); err != nil {
			t.Fatal(err)
		}
		offsets, at := sends(b, blocker.Up, start)
		want := []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms, 3750 * ms, 3800 * ms}
		if !slices.Equal(at, want) || !slices.Equal(offsets, []int64{0, 0, 0, 0, 0, 1448}) {
			t.Errorf("sent %v at %v, want %v", offsets, at, want)
		}
		time.Sleep(50 * ms)
		if f, _ := client.Flow(); f.SegmentsOut != 3+4+2 || f.Resent != 6 || f.Unacked != 0 {
			t.Errorf("%+v", f)
		}
	})
}

// The end of a handshake that gets lost is repeated by the server after 1 s,
// so that one who speaks first can.
func TestLostEndOfHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path { return path(b) })
		defer func() { _ = n.Close() }()
		h, _ := n.Host(home)
		s, _ := n.Host(cloud)
		l, _ := s.Listen(port.Port())
		time.AfterFunc(ms, func() { b.set(blocker.Discard, blocker.Forward) })
		time.AfterFunc(100*ms, func() { b.set(blocker.Forward, blocker.Forward) })
		start := time.Now()
		if _, err := h.Dial(context.Background(), port); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		// The SYN-ACK was sent after half a round trip, is sent again 1 s later,
		// and answered a round trip after that.
		if took := time.Since(start); took != 25*ms+time.Second+50*ms {
			t.Errorf("accepted after %v", took)
		}
		_ = c.Close()
	})
}

// The counters of a long transfer tell the share that was lost, and the line
// counts the same.
func TestFlowTellsOfLoss(t *testing.T) {
	for _, loss := range []memnet.Loss{{Share: 0.02}, memnet.Bursts(0.02, 2)} {
		synctest.Test(t, func(t *testing.T) {
			line := &memnet.Line{Seed: 2}
			p := path(nil)
			p.Border, p.NearLine, p.Seed = nil, line, 5
			client, server, _ := pair(t, p)
			line.Lose(loss, memnet.Loss{})
			const segments = 20_000
			go func() { _, _ = client.Write(make([]byte, segments*1448)) }()
			if _, err := io.CopyN(io.Discard, server, segments*1448); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			f, _ := client.Flow()
			g, _ := server.Flow()
			share := float64(f.Resent) / float64(f.SegmentsOut)
			if share < 0.016 || share > 0.024 {
				t.Errorf("%.4f of the segments were sent again: %+v", share, f)
			}
			// A timer sends one segment too many if the answer was the loss: not
			// here, where nothing gets lost on the way back.
			if f.Resent != line.Lost() || g.SegmentsIn != f.SegmentsOut-f.Resent {
				t.Errorf("lost %d, sender %+v, receiver %+v", line.Lost(), f, g)
			}
			if g.Disordered == 0 || f.Disordered != 0 || f.SegmentsIn != 0 {
				t.Errorf("out of order: %d at the receiver", g.Disordered)
			}
		})
	}
}
