package pump

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLot(t *testing.T) {
	var running sync.WaitGroup
	l := &Lot{Go: running.Go}
	defer running.Wait()
	defer l.Close()

	for name, happens := range map[string]func(far, near *net.TCPConn, s *Spot){
		"bytes":           func(far, _ *net.TCPConn, _ *Spot) { _, _ = far.Write([]byte("x")) },
		"an end":          func(far, _ *net.TCPConn, _ *Spot) { _ = far.CloseWrite() },
		"a reset":         func(far, _ *net.TCPConn, _ *Spot) { _ = far.SetLinger(0); far.Close() },
		"close, and Wake": func(_, near *net.TCPConn, s *Spot) { near.Close(); s.Wake() },
		"Wake, twice":     func(_, _ *net.TCPConn, s *Spot) { s.Wake(); s.Wake() },
	} {
		t.Run(name, func(t *testing.T) {
			far, near := link(t)
			resumed := make(chan struct{}, 3)
			s := l.Park(near, func() { resumed <- struct{}{} })
			if s == nil {
				t.Fatal("not parked")
			}
			if len(resumed) != 0 {
				t.Fatal("resumed before anything happened")
			}
			happens(far, near, s)
			<-resumed
			if len(resumed) != 0 {
				t.Error("resumed twice")
			}
		})
	}

	t.Run("bytes that are there already", func(t *testing.T) {
		far, near := link(t)
		_, _ = far.Write([]byte("xy"))
		for range 3 { // it is parked again although it has not read
			resumed := make(chan struct{})
			if l.Park(near, func() { close(resumed) }) == nil {
				t.Fatal("not parked")
			}
			<-resumed
		}
	})

	t.Run("not the kernel's", func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		if l.Park(a, func() {}) != nil {
			t.Error("a pipe was parked")
		}
	})
}

func TestLotCloses(t *testing.T) {
	var running, parked sync.WaitGroup
	l := &Lot{Go: running.Go}
	for range 100 {
		_, near := link(t)
		parked.Add(1)
		if l.Park(near, parked.Done) == nil {
			t.Fatal("not parked")
		}
	}
	l.Close()
	parked.Wait()
	running.Wait()
	_, near := link(t)
	if l.Park(near, func() {}) != nil {
		t.Error("parked after Close")
	}
	(&Lot{}).Close() // nothing was ever parked
}

// TestLotUnderFire parks and wakes from all sides: each spot resumes once.
func TestLotUnderFire(t *testing.T) {
	const rounds = 2000
	var running, all sync.WaitGroup
	l := &Lot{Go: running.Go}
	var resumed atomic.Int64
	for range 4 {
		far, near := link(t)
		all.Go(func() {
			one := make([]byte, 1)
			for n := range rounds {
				done := make(chan struct{})
				s := l.Park(near, func() { resumed.Add(1); close(done) })
				_, _ = far.Write(one)
				if n%3 == 0 {
					s.Wake()
				}
				<-done
				_, _ = near.Read(one)
			}
		})
	}
	all.Wait()
	l.Close()
	running.Wait()
	if n := resumed.Load(); n != 4*rounds {
		t.Errorf("%d spots resumed, want %d", n, 4*rounds)
	}
}
