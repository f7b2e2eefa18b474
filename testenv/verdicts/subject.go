package verdicts

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
)

// subject is one endpoint that one pool is asked about.
type subject struct {
	v      *vantage
	host   *testenv.Host
	server netip.AddrPort
	// struck is true if something happens to it here; else it is well.
	struck bool

	since time.Time // when it happened
	up    int64     // bytes that had been sent to it by then
	// first is closed when an attempt was affected, at began; many when so many
	// were that a freeze need not wait; void says why there was none.
	first, many chan struct{}
	began       time.Time
	void        string

	opinions []Opinion
}

func newSubject(v *vantage, h *testenv.Host, struck bool) *subject {
	return &subject{
		v: v, host: h, server: netip.AddrPortFrom(h.Addr(), h.Spec().Port), struck: struck,
		first: make(chan struct{}), many: make(chan struct{}),
	}
}

// lookEvery is how often the ledger is looked at for affected attempts.
const lookEvery = 100 * time.Millisecond

// lookOut watches, by the ledger and by the dials that were made, for the first
// attempt that is affected of each subject.
func (s *Scene) lookOut(subjects []*subject, over <-chan struct{}) {
	began := time.Now()
	for {
		waiting := 0
		l := s.World.Ledger()
		for _, j := range subjects {
			if !j.look(&l) {
				waiting++
			}
		}
		if waiting == 0 {
			return
		}
		if time.Since(began) > attemptWithin {
			for _, j := range subjects {
				if j.began.IsZero() {
					j.void = fmt.Sprintf("no attempt was affected in %v", attemptWithin)
					close(j.first)
				}
			}
			return
		}
		if !waitUntil(over, time.Now().Add(lookEvery)) {
			return
		}
	}
}

// look reports whether there is nothing more to look for.
func (j *subject) look(l *testenv.Ledger) bool {
	frozen := j.v.scene.c.Family == Frozen
	if j.began.IsZero() {
		if j.began = j.affected(l); j.began.IsZero() {
			return false
		}
		close(j.first)
	}
	switch {
	case !frozen || time.Since(j.began) > firstReading:
		return true
	case j.hits(l) < manyTransfers:
		return false
	}
	close(j.many)
	return true
}

// affected is when the first attempt was affected, zero if none was. Of what a
// rule does the ledger has the moment; to a machine that is not what it was the
// first dial counts, or the first bytes that are sent to it.
func (j *subject) affected(l *testenv.Ledger) (at time.Time) {
	if !j.struck {
		return j.since
	}
	if at, counts := j.v.scene.request(j.host); counts {
		if !at.IsZero() && at.Before(j.since) {
			at = j.since
		}
		return at
	}
	earliest := func(t time.Time) {
		if !t.Before(j.since) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, h := range l.Hits {
		if h.Server == j.server && h.ISP == j.v.isp.Name() {
			earliest(h.First)
		}
	}
	if j.v.scene.c.byRule() {
		return at
	}
	for _, d := range j.v.dialsTo(j.host, j.since) {
		earliest(d.at)
	}
	if l.Path(j.v.isp.Name(), j.server).Up > j.up {
		earliest(l.At.Add(-min(lookEvery, l.At.Sub(j.since))))
	}
	return at
}

// hits is how many flows rules have taken packets of.
func (j *subject) hits(l *testenv.Ledger) (n int) {
	for _, h := range l.Hits {
		if h.Server == j.server && h.ISP == j.v.isp.Name() && !h.First.Before(j.since) {
			n++
		}
	}
	return n
}

// byRule reports whether what strikes endpoints is a rule.
func (c *Case) byRule() bool {
	for _, e := range c.Events {
		if e.Rule != nil && e.Whom != Nobody {
			return true
		}
	}
	return false
}

// read asks the pool at the given moments.
func (j *subject) read() {
	<-j.first
	if j.void != "" {
		return
	}
	c := j.v.scene.c
	_ = waitUntil(j.many, j.began.Add(firstReading))
	j.opinions = append(j.opinions, j.opinion())
	time.Sleep(time.Until(j.began.Add(secondReading)))
	j.opinions = append(j.opinions, j.opinion())
	if c.Rest > 0 {
		time.Sleep(c.Rest)
		j.opinions = append(j.opinions, j.opinion())
	}
}

// opinion is what the pool says now.
func (j *subject) opinion() Opinion {
	o := OpinionOf(j.v.row(j.host))
	o.At, o.Outage = time.Since(j.began), j.v.pool.Outage()
	return o
}

// right says whether reading n was right.
func (j *subject) right(n int) bool {
	c, o := j.v.scene.c, j.opinions[n]
	switch {
	case !j.struck && c.Setting.Crowd > 0:
		// A neighbour: it must stay in use. In the first seconds it may be looked at.
		return o.State == policy.Active || n == 0 && o.State == policy.Suspect
	case !j.struck && c.hitsEndpoints():
		return o.is(alive)
	case n == 2:
		return o.is(c.Back) && (c.Window == 0 || j.punctual())
	case n == 1 && c.Later != nil:
		return o.is(c.Later)
	default:
		return c.Accepts(o, j.v.scene.draw)
	}
}

// attempt is how far apart dials are that belong to one attempt.
const attempt = 20 * time.Second

// punctual reports whether whom residual blocking had struck was in use again
// half a minute after a window had gone by since the last attempt in vain.
func (j *subject) punctual() bool {
	var back time.Time
	for _, ev := range j.v.told() {
		if ev.Kind == pool.Changed && ev.Endpoint.Name() == j.host.Spec().Name() && ev.From == policy.Dead && ev.At.After(j.began) {
			back = ev.At
			break
		}
	}
	if back.IsZero() {
		return false
	}
	var last time.Time // of the attempts before the one that brought it back
	for _, d := range j.v.dialsTo(j.host, j.since) {
		if back.Sub(d.at) > attempt {
			last = d.at
		}
	}
	return back.Sub(last) <= j.v.scene.c.Window+30*time.Second
}

// hitsEndpoints reports whether the events strike any endpoint.
func (c *Case) hitsEndpoints() bool {
	for _, e := range c.Events {
		if e.Whom != Nobody && (e.Rule != nil || e.Host != nil) {
			return true
		}
	}
	return false
}

var alive = []Answer{{Verdict: policy.Alive}}

// took is the time from the first affected attempt to the first right verdict.
func (j *subject) took() (time.Duration, bool) {
	c := j.v.scene.c
	if !j.struck || c.Right[0].Verdict == policy.Alive {
		return 0, true
	}
	for _, ev := range j.v.told() {
		if ev.Kind != pool.Changed || ev.Endpoint.Name() != j.host.Spec().Name() || ev.At.Before(j.since) {
			continue
		}
		o := Opinion{State: ev.To, Verdict: ev.Verdict, Cause: ev.Cause}
		if o.is(c.Right) {
			return max(ev.At.Sub(j.began), 0), true
		}
	}
	return 0, false
}

// trail is what the pool has told of it, in lines.
func (j *subject) trail(began time.Time) (lines []string) {
	lines = append(lines, fmt.Sprintf("%s: %s, first affected at %.2fs", j.v.isp.Name(), j.host.Spec().Name(), j.began.Sub(began).Seconds()))
	for _, ev := range j.v.told() {
		if ev.Endpoint == nil || cmp.Compare(ev.Endpoint.Name(), j.host.Spec().Name()) != 0 {
			if ev.Kind != pool.OutageBegan && ev.Kind != pool.OutageEnded {
				continue
			}
		}
		lines = append(lines, fmt.Sprintf("  %8.2fs %s", ev.At.Sub(began).Seconds(), ev))
	}
	return lines
}
