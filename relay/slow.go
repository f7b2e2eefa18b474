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
// line carries more. That the sender wants more shows in what is lost: who sends
// no more than he has got has no cause to be policed.

const (
	// A rate is measured over a window of slowWindow, and slowParts parts at least, of
	// which none may be empty, since what is sent now and then has pauses. A part is
	// slowPart long, or a round trip and a quarter if that is more. It has to be short:
	// most flows are, and a policed one of 64 KiB at 256 kbit/s lasts for a second and
	// a half. It begins when the allowance is used up that a policer lets pass at once.
	slowWindow = time.Second
	slowPart   = 250 * time.Millisecond
	slowParts  = 3
	allowance  = 16 << 10
	// What is policed to 16 kbit/s brings a segment every .7 s. So there are windows
	// of parts of thinPart too, for flows whose segments are of at least fullSegment
	// bytes in the mean: who sends such ones has more to send, and who has little to
	// say now and then sends small ones.
	thinPart    = time.Second
	fullSegment = 1000
	// slowRate is what no flow is called slow above, in bytes a second: twice the
	// 256 kbit/s that have been seen.
	slowRate = 64 << 10
	// A flow is short of room if of the segments of a window this share was lost, or
	// came out of their order, and so many at least.
	gapsShare = .05
	gapsLeast = 2
	// A flow that has come at this many times its present rate, with a look's
	// worth of at least burst, has collapsed: so does one that a policer stops
	// after its first allowance, and nothing that is slow by nature.
	collapse = 2.5
	burst    = 8 << 10
	// Our own line carries more if it has carried this many times as much through
	// another endpoint.
	carriesMore = 3
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

	segments, gaps int64 // at the window's beginning
	gappy          bool  // many of the last window's were
	thin           bool  // it is one of the windows for what is thin
}

// passage is what has gone one way so far, in bytes and segments; gaps are those
// that were lost, or out of their order.
type passage struct {
	bytes, segments, gaps int64
	waits                 bool
}

// look takes what has gone so far. It returns the rate of a window that ends now
// without a pause in it, and 0 in between.
func (k *trickle) look(p passage, rtt time.Duration, now time.Time) (rate float64) {
	bytes, waits := p.bytes, p.waits
	if d := now.Sub(k.looked); bytes-k.last >= burst {
		k.peak = max(k.peak, float64(bytes-k.last)/max(d, lookFast).Seconds())
	}
	before := k.last
	k.last, k.looked = bytes, now
	if k.from.IsZero() || before < allowance {
		k.begin(p, now)
		return 0
	}
	k.waits = k.waits && waits
	part := max(slowPart, rtt*5/4)
	if k.thin {
		part = thinPart
	}
	if now.Sub(k.part) < part {
		return 0
	}
	if bytes == k.inPart {
		k.begin(p, now)
		return 0
	}
	k.part, k.inPart = now, bytes
	if d := now.Sub(k.from); d >= max(slowWindow, slowParts*part) {
		gaps := p.gaps - k.gaps
		if k.thin && bytes-k.bytes < fullSegment*(p.segments-k.segments) {
			k.begin(p, now)
			return 0
		}
		k.gappy = gaps >= gapsLeast && float64(gaps) >= gapsShare*float64(p.segments-k.segments)
		return float64(bytes-k.bytes) / d.Seconds()
	}
	return 0
}

// begin starts a window.
func (k *trickle) begin(p passage, now time.Time) {
	k.from, k.part, k.bytes, k.inPart, k.waits = now, now, p.bytes, p.bytes, p.waits
	k.segments, k.gaps = p.segments, p.gaps
}

// slow looks whether a flow is slower than it could be, and tells the pool.
func (w *watch) slow(s *sight, g *gaze) {
	if g.down.looked.IsZero() {
		g.down.looked, g.up.looked, g.thin.looked = s.since, s.since, s.since
		g.thin.thin = true
	}
	f := &s.flow
	down := passage{bytes: f.Received, segments: f.SegmentsIn, gaps: f.Disordered}
	up := passage{bytes: f.Acked, segments: f.SegmentsOut, gaps: f.Resent, waits: f.Unacked > 0}
	downRate, upRate, thinRate := g.down.look(down, f.RTT, s.now), g.up.look(up, f.RTT, s.now), g.thin.look(down, f.RTT, s.now)
	if s.jammed() || s.half {
		g.down.begin(down, s.now)
		g.up.begin(up, s.now)
		g.thin.begin(down, s.now)
		return
	}
	w.weigh(s, g, &g.down, down, downRate)
	w.weigh(s, g, &g.up, up, upRate)
	w.weigh(s, g, &g.thin, down, thinRate)
}

// weigh takes the rate that a flow has had in a window, 0 if none has ended.
func (w *watch) weigh(s *sight, g *gaze, k *trickle, p passage, rate float64) {
	if rate == 0 {
		return
	}
	wanting := k.waits || k.gappy || k.peak >= collapse*rate
	since := k.from
	k.begin(p, s.now)
	if !wanting && rate < slowRate {
		return // perhaps there is no more to send
	}
	w.rates.note(s.endpoint, rate, s.now)
	if rate < slowRate && !s.now.Before(g.saySlow) && w.rates.capable(s.endpoint, rate, s.now) && w.rates.say(s.endpoint, s.now) {
		g.slowPause = max(slowPause, 2*g.slowPause)
		g.saySlow = s.now.Add(g.slowPause)
		s.slowed(since, rate)
	}
}

// slowed tells the pool that a flow has been slow since then.
func (s *sight) slowed(since time.Time, rate float64) {
	s.stream.tell(s.endpoint, policy.Evidence{
		Outcome: policy.Slowed, Asked: since, At: s.now, Bytes: s.flow.Received, Sent: s.flow.Acked, Rate: rate,
	})
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
		if p.rate >= carriesMore*rate {
			return true
		}
		others++
	}
	return others == 0
}
