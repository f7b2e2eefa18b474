package memnet_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

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
