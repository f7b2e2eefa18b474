package relay_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// dials is how many connections were begun to all endpoints so far, by relay and
// examinations.
func (r *rig) dials() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.dialed {
		n += d
	}
	return n
}

// TestWaitersShareTheRoomsDials has 500 requests wait through an outage: while
// it lasts the room dials for all of them, and at its end each goes to an
// endpoint that has answered, and dials nobody else.
func TestWaitersShareTheRoomsDials(t *testing.T) {
	const waiters, endpoints = 500, 8
	inRig(t, rigConfig{endpoints: endpoints}, func(r *rig) {
		r.serve(80, tellVia)
		for n := range endpoints {
			r.block(n, blocker.Discard)
		}
		var asked sync.WaitGroup
		for n := range waiters {
			asked.Go(func() {
				c, err := r.open(fmt.Sprint("client-", n), "site.lab:80")
				if err != nil {
					t.Errorf("request %d: %v", n, err)
					return
				}
				defer c.Close()
				if _, err := exchange(c, get); err != nil {
					t.Errorf("request %d: %v", n, err)
				}
			})
		}
		// Each has had its own try at each endpoint by then.
		time.Sleep(5 * time.Second)
		before := r.dials()
		if before < waiters*endpoints || before > waiters*endpoints*5/4 {
			t.Errorf("%d dials, want one at each of %d endpoints for each of %d requests", before, endpoints, waiters)
		}
		time.Sleep(10 * time.Second)
		// One at each endpoint in each pause of 250 ms or more, and the pool's own.
		if n := r.dials() - before; n > endpoints*40+200 {
			t.Errorf("%d dials in 10 s of waiting", n)
		}
		before = r.dials()
		for n := range endpoints {
			r.block(n, blocker.Forward)
		}
		back := time.Now()
		asked.Wait()
		if took := time.Since(back); took > time.Second {
			t.Errorf("the last answer came %v after the return", took)
		}
		if n := r.dials() - before; n > waiters+100 {
			t.Errorf("%d dials for %d requests after the return", n, waiters)
		}
	})
}

// TestRoomReachesEveryEndpoint brings back one endpoint of 40, which is not
// among those that look best, and which nobody else examines.
func TestRoomReachesEveryEndpoint(t *testing.T) {
	const endpoints = 40
	inRig(t, rigConfig{endpoints: endpoints, active: endpoints, noProbes: true}, func(r *rig) {
		r.serve(80, tellVia)
		for n := range endpoints {
			r.block(n, blocker.Discard)
		}
		var asked sync.WaitGroup
		for n := range 10 {
			asked.Go(func() {
				c, err := r.open(fmt.Sprint("client-", n), "site.lab:80")
				if err != nil {
					t.Errorf("request %d: %v", n, err)
					return
				}
				c.Close()
			})
		}
		time.Sleep(8 * time.Second)
		before := r.dials()
		time.Sleep(4 * time.Second)
		if n := r.dials() - before; n > 16*16 {
			t.Errorf("%d dials in 4 s of waiting, want 16 at most in each pause of 250 ms or more", n)
		}
		r.block(r.place("", 32), blocker.Forward)
		back := time.Now()
		asked.Wait()
		// A pause is 500 ms at most, and each of them has eight others' turn.
		if took := time.Since(back); took > 3*time.Second {
			t.Errorf("the requests went on %v after the return of one endpoint", took)
		}
	})
}
