package relay_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// echo sends everything back.
func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// chat keeps a stream busy until it ends, and tells how and when.
func chat(c net.Conn, done chan<- ending) {
	b := make([]byte, 4)
	for {
		if _, err := c.Write([]byte("ping")); err != nil {
			done <- ending{err, time.Now()}
			return
		}
		if _, err := io.ReadFull(c, b); err != nil {
			done <- ending{err, time.Now()}
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

type ending struct {
	err error
	at  time.Time
}

func TestVerdictCutsTheEndpointsStreamsAndNoOthers(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(7, echo)
		lost := r.first("a")
		other := "b"
		for r.first(other) == lost {
			other += "b"
		}
		cut, kept := make(chan ending, 1), make(chan ending, 1)
		a, b := r.mustOpen("a", "site.lab:7"), r.mustOpen(other, "site.lab:7")
		go chat(a, cut)
		go chat(b, kept)
		time.Sleep(5 * time.Second)
		r.block(lost, blocker.Discard)
		began := time.Now()
		e := <-cut
		if !errors.Is(e.err, syscall.ECONNRESET) {
			t.Errorf("the stream ended with %v, want a reset", e.err)
		}
		if took := e.at.Sub(began); took > 3200*time.Millisecond {
			t.Errorf("cut after %v, want 3 s from the first packet lost", took)
		}
		time.Sleep(10 * time.Second)
		select {
		case e := <-kept:
			t.Errorf("a stream through another endpoint ended: %v", e.err)
		default:
		}
		if s := r.server.Stats(); s.Cut != 1 || s.Open != 1 {
			t.Errorf("stats %+v", s)
		}
		a.Close()
		b.Close()
		<-kept
	})
}

func TestIdleStreamOnASilentPathIsCut(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(7, echo)
		lost := r.first("a")
		c := r.mustOpen("a", "site.lab:7")
		defer c.Close()
		if _, err := exchange(c, "hello"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // its keep-alive is calm by now
		r.block(lost, blocker.Discard)
		began := time.Now()
		if _, err := exchange(c, ""); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("ended with %v, want a reset", err)
		}
		if took := time.Since(began); took > 60*time.Second {
			t.Errorf("cut after %v", took)
		}
	})
}

func TestStreamsLiveThroughAnOutageOfOurOwn(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(7, echo)
		done := make(chan ending, 4)
		var streams []net.Conn
		for _, name := range []string{"a", "b", "c", "d"} {
			c := r.mustOpen(name, "site.lab:7")
			streams = append(streams, c)
			go chat(c, done)
		}
		time.Sleep(5 * time.Second)
		for n := range r.hosts {
			r.block(n, blocker.Discard)
		}
		time.Sleep(20 * time.Second)
		for n := range r.hosts {
			r.block(n, blocker.Forward)
		}
		time.Sleep(20 * time.Second)
		select {
		case e := <-done:
			t.Errorf("a stream ended: %v", e.err)
		default:
		}
		if s := r.server.Stats(); s.Cut != 0 || s.Open != 4 {
			t.Errorf("stats %+v", s)
		}
		for n := range r.hosts {
			if s := r.state(n); s != policy.Active {
				t.Errorf("endpoint %d is %v", n, s)
			}
		}
		for _, c := range streams {
			c.Close()
			<-done
		}
	})
}

func TestStallInMidFlowIsReported(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(make([]byte, 15<<10))
			<-r.over // and nothing more of what was promised
		})
		n := r.first("a")
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		if _, err := io.WriteString(c, get); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 15<<10)); err != nil {
			t.Fatal(err)
		}
		events := r.pool.Watch()
		defer events.Close()
		ev, err := events.Next(r.t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Endpoint == nil || r.number(ev.Endpoint.Name()) != n || ev.To != policy.Suspect || ev.Cause != policy.Stalled {
			t.Errorf("event %+v, want endpoint %d suspected of stalling", ev, n)
		}
	})
}

func TestAClientThatDoesNotReadIsNoStall(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(make([]byte, 64<<20))
		})
		c := r.mustOpen("a", "site.lab:80")
		if _, err := io.WriteString(c, get); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for n := range r.hosts {
			if s := r.state(n); s != policy.Active {
				t.Errorf("endpoint %d is %v, for a client that does not read", n, s)
			}
		}
		c.Close()
	})
}

func TestHalfClosedStreamEndsAfterTenMinutesOfSilence(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, func(c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
			for range 3 { // now and then, which keeps the stream alive
				time.Sleep(8 * time.Minute)
				_, _ = io.WriteString(c, "tick")
			}
			<-r.over
		})
		c := r.connect()
		defer c.Close()
		if err := rigAsk(c, "a", "site.lab:80"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, get)
		start := time.Now()
		_ = c.CloseWrite()
		b, err := io.ReadAll(c)
		if string(b) != "tickticktick" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q, %v", b, err)
		}
		if took := time.Since(start).Round(time.Second); took != (3*8+10)*time.Minute {
			t.Errorf("the stream lasted %v, want 34 min", took)
		}
	})
}

func TestStreamsAtRestCostNothingInTime(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(7, echo)
		c := r.mustOpen("a", "site.lab:7")
		defer c.Close()
		if _, err := exchange(c, "hello"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour) // no idle timeout
		if _, err := exchange(c, "still here"); err != nil {
			t.Error(err)
		}
	})
}
