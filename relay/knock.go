package relay

import (
	"context"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// knocks asks endpoints whether they still answer. A reset or an end that comes
// through an endpoint may be the destination's, or the endpoint's, or the
// blocker's in the name of either; only a fresh greeting can tell, and the pool
// cannot have judged yet. What a knock sees is evidence as any attempt's is.
//
// One knock at a time runs at an endpoint, and whoever comes meanwhile shares
// the next: an answer to a question of before the end would prove nothing. So a
// destination that ends everything costs no more than that.
type knocks struct {
	server *Server

	mu      sync.Mutex
	running map[*pool.Endpoint]*knock
}

// knock is one such question.
type knock struct {
	endpoint *pool.Endpoint
	done     chan struct{} // closed at its end
	answered bool          // valid from then on
	next     *knock        // who comes meanwhile; guarded by knocks.mu
}

// at asks ep, from now on.
func (k *knocks) at(ep *pool.Endpoint) *knock {
	k.mu.Lock()
	defer k.mu.Unlock()
	fresh := &knock{endpoint: ep, done: make(chan struct{})}
	if running := k.running[ep]; running != nil {
		if running.next == nil {
			running.next = fresh
		}
		return running.next
	}
	if k.running == nil {
		k.running = make(map[*pool.Endpoint]*knock)
	}
	k.running[ep] = fresh
	k.server.work.Go(func() { k.run(fresh) })
	return fresh
}

// run asks, until nobody has come meanwhile.
func (k *knocks) run(n *knock) {
	for n != nil {
		n.answered = k.server.greets(k.server.ctx, n.endpoint)
		close(n.done)
		k.mu.Lock()
		ep := n.endpoint
		if n = n.next; n != nil {
			k.running[ep] = n
		} else {
			delete(k.running, ep)
		}
		k.mu.Unlock()
	}
}

// greets reports whether ep passes the endpoint's phases.
func (s *Server) greets(ctx context.Context, ep *pool.Endpoint) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	session, err := newAttempt(ep, 0, cancel).open(ctx, s)
	if err != nil {
		return false
	}
	_ = session.Close()
	return true
}

// wait waits for the answer, for as long as one may reasonably take, the one
// before it included. What comes later, or after ctx has ended, is none.
func (n *knock) wait(ctx context.Context) bool {
	limit := 2 * (n.endpoint.HedgeDelay(policy.Connect) + n.endpoint.HedgeDelay(policy.Greeting))
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-n.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return n.heard()
}

// heard reports whether it has been answered by now.
func (n *knock) heard() bool {
	select {
	case <-n.done:
		return n.answered
	default:
		return false
	}
}

// failed reports whether it has ended without an answer.
func (n *knock) failed() bool {
	select {
	case <-n.done:
		return !n.answered
	default:
		return false
	}
}
