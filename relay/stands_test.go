package relay_test

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// afterAnEnd has the only endpoint grant a request, take it, and go away for
// good: the flight has nowhere to move, so the client gets to see the end. It
// keeps its own half open, and does with it as told.
func afterAnEnd(t *testing.T, then func(c net.Conn)) {
	var gone atomic.Bool
	leaves := func(c net.Conn) {
		if gone.Load() {
			return
		}
		b := make([]byte, 512)
		_, _ = c.Read(b)
		_, _ = c.Write([]byte{5, 0})
		if n, err := c.Read(b); err != nil || n == 0 {
			return
		}
		_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		_, _ = c.Read(b)
		gone.Store(true)
	}
	inRig(t, rigConfig{endpoints: 1, socks: map[int]func(net.Conn){0: leaves}}, func(r *rig) {
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		if _, err := exchange(c, get); !errors.Is(err, io.EOF) {
			t.Fatalf("the client sees %v, want the end", err)
		}
		then(c)
	})
}

// TestMuchAfterAnEnd sends more than a first flight holds to where nobody is any
// more. The relay closes all the same, which the rig sees to.
func TestMuchAfterAnEnd(t *testing.T) {
	afterAnEnd(t, func(c net.Conn) {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write(make([]byte, 80<<10))
	})
}

// TestSilenceAfterAnEnd outlives the limit of a half-closed stream. A relay that
// looked again and again would not let the time of the bubble pass.
func TestSilenceAfterAnEnd(t *testing.T) {
	afterAnEnd(t, func(net.Conn) { time.Sleep(11 * time.Minute) })
}
