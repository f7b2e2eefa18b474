package relay

import (
	"maps"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// What follows sees flows that go on at far less than their path allows, as one
// does that is policed. From here that is no more than a doubt: what comes slowly
// may be sent slowly, and only an examination of the endpoint, which knows what
// it has asked for, can tell. So the pool is told seldom, and of three things
// together: a trickle without a pause, whose sender wants more, while our own
// line carries more.

const (
	// slowWindow is what a rate is measured over, in parts of which none may be
	// empty: what is sent now and then has pauses.
	slowWindow = 3 * time.Second
	slowParts  = 6
	// slowRate is what no flow is called slow above, in bytes a second: twice the
	// 256 kbit/s that have been seen.
	slowRate = 64 << 10
	// A flow that has come at this many times its present rate, with a look's
	// worth of at least burst, has collapsed: so does one that a policer stops
	// after its first allowance, and nothing that is slow by nature.
	collapse = 4
	burst    = 8 << 10
	// slowPause is the shortest time between two reports of one stream, doubled
	// with each, since an examination has found out by then; and between two of
	// streams through one endpoint.
	slowPause = time.Minute
	// rateMemory is how long a rate counts when another is compared with it.
	rateMemory = time.Minute
	mostRates  = 256
)

// trickle measures one direction of one flow.
type trickle struct {
	from, part time.Time // of the window, and of its present part
	bytes      int64     // at the window's beginning
	inPart     int64     // at the part's
	last       int64     // at the last look
	looked     time.Time
	peak       float64 // the highest rate between two looks, in bytes a second
	waits      bool    // data has waited for acknowledgement at each look
}

// look takes the count of bytes so far. It returns the rate of a window that ends
// now without a pause in it, and 0 in between.
func (k *trickle) look(bytes int64, waits bool, now time.Time) (rate float64) {
	if d := now.Sub(k.looked); bytes-k.last >= burst {
		k.peak = max(k.peak, float64(bytes-k.last)/max(d, lookFast).Seconds())
	}
	k.last, k.looked = bytes, now
	if k.from.IsZero() {
		k.begin(bytes, waits, now)
		return 0
	}
	k.waits = k.waits && waits
	if now.Sub(k.part) < slowWindow/slowParts {
		return 0
	}
	if bytes == k.inPart {
		k.begin(bytes, waits, now)
		return 0
	}
	k.part, k.inPart = now, bytes
	if d := now.Sub(k.from); d >= slowWindow {
		return float64(bytes-k.bytes) / d.Seconds()
	}
	return 0
}

// begin starts a window.
func (k *trickle) begin(bytes int64, waits bool, now time.Time) {
	k.from, k.part, k.bytes, k.inPart, k.waits = now, now, bytes, bytes, waits
}

// slow looks whether a flow is slower than it could be, and tells the pool.
func (w *watch) slow(s *sight, g *gaze) {
	if g.down.looked.IsZero() {
		g.down.looked, g.up.looked = s.since, s.since
	}
	waits := s.flow.Unacked > 0
	down, up := g.down.look(s.flow.Received, false, s.now), g.up.look(s.flow.Acked, waits, s.now)
	if s.jammed() || s.half {
		g.down.begin(s.flow.Received, false, s.now)
		g.up.begin(s.flow.Acked, waits, s.now)
		return
	}
	w.weigh(s, g, &g.down, down)
	w.weigh(s, g, &g.up, up)
}

// weigh takes the rate that a flow has had in a window, 0 if none has ended.
func (w *watch) weigh(s *sight, g *gaze, k *trickle, rate float64) {
	if rate == 0 {
		return
	}
	wanting := k.waits || k.peak >= collapse*rate
	k.begin(k.last, s.flow.Unacked > 0, s.now)
	if !wanting && rate < slowRate {
		return // perhaps there is no more to send
	}
	w.rates.note(s.endpoint, rate, s.now)
	if rate < slowRate && !s.now.Before(g.saySlow) && w.rates.capable(s.endpoint, rate, s.now) && w.rates.say(s.endpoint, s.now) {
		g.slowPause = max(slowPause, 2*g.slowPause)
		g.saySlow = s.now.Add(g.slowPause)
		s.report(policy.Slowed, s.now.Add(-slowWindow))
	}
}

// rates are the highest that flows have had lately, by endpoint.
type rates map[*pool.Endpoint]pastRate

type pastRate struct {
	rate float64
	at   time.Time
	said time.Time // when a flow was last called slow
}

func (r rates) note(ep *pool.Endpoint, rate float64, now time.Time) {
	old := r[ep]
	if old.rate > rate && now.Sub(old.at) < rateMemory {
		return
	}
	if len(r) >= mostRates {
		clear(r)
	}
	r[ep] = pastRate{rate, now, old.said}
}

// say reports whether a flow through ep may be called slow now, and notes that it
// is.
func (r rates) say(ep *pool.Endpoint, now time.Time) bool {
	p := r[ep]
	if now.Sub(p.said) < slowPause {
		return false
	}
	p.said = now
	r[ep] = p
	return true
}

// capable reports whether nothing speaks for our own line being what is slow: no
// other endpoint has had flows lately, or one of them faster ones.
func (r rates) capable(ep *pool.Endpoint, rate float64, now time.Time) bool {
	maps.DeleteFunc(r, func(_ *pool.Endpoint, p pastRate) bool {
		return now.Sub(p.at) >= rateMemory && now.Sub(p.said) >= slowPause
	})
	others := 0
	for other, p := range r {
		if other == ep || now.Sub(p.at) >= rateMemory {
			continue
		}
		if p.rate >= collapse*rate {
			return true
		}
		others++
	}
	return others == 0
}
