package policy

import (
	"cmp"
	"slices"
	"time"
)

// inquire is the examination of i that is due now: of one that is in doubt, or was
// condemned, with all that a verdict needs.
func (g *Group) inquire(i int, now time.Time) Action {
	r := &g.records[i]
	a := Action{Kind: Examine, Endpoint: i, Depth: r.depth, Loss: g.lossOf(i, now)}
	r.depth = Greet
	doubtful := r.sampled || r.doubtful() || r.closely
	r.sampled, r.closely = false, false
	r.thorough = doubtful
	doubted := doubtful || r.State == Dead || r.State == Probation
	if doubted {
		a.Controls = g.controls(i)
	}
	a.Outside = r.doubtful() && len(a.Controls) == 0 && g.outside(now)
	if doubtful || r.State == Active && r.answered.IsZero() {
		a.Doubtful = true
		a.Tries = max(Enough(a.Loss)-r.failures, fewestFailures)
		a.Patience = g.patience(i, now)
	}
	if doubted {
		a.Views = g.sightlines(i, now)
	}
	if r.State == Dead && r.Verdict == Unknown && len(a.Views) > 0 {
		a.Tries = max(Enough(a.Loss), fewestFailures) // to learn more than that
	}
	if a.Depth == Greet {
		return a
	}
	if j := g.other(i); j >= 0 {
		a.Egress = []int{j}
	}
	if r.compare {
		a.Doubtful, a.Views = true, g.sightlines(i, now)
		a.Size, a.OneWay = slowSize, true
	}
	if r.larger || doubtful && r.stops.n > 0 && !r.compare {
		// Where they stop is where to look, and the way in which they do.
		a.Size, a.OneWay, a.Upward = r.stops.look()
	}
	if (r.State == Dead || r.State == Probation) && r.charge.size > 0 {
		// What it was condemned for is what to look for.
		a.Doubtful, a.Size, a.OneWay, a.Upward = true, r.charge.size, r.charge.oneWay, r.charge.up
	}
	return a
}

// lookAgain has i examined once more because the last look was not enough: twice at
// once, then with pauses that double. A machine that is short of processors makes
// every look come out badly, and must not be kept busy with them.
func (g *Group) lookAgain(i int, now time.Time, d Depth) {
	const first, longest = 250 * time.Millisecond, 8 * time.Second
	r := &g.records[i]
	if r.looks++; r.looks > 3 {
		now = now.Add(min(first<<min(r.looks-4, 10), longest))
	}
	g.examineAt(i, now, d)
}

// slowest is how long a TCP handshake may take on the longest ways that there are,
// over satellites and through full buffers. Assumption; a verdict has to be there
// within 3 s.
const slowest = 2100 * time.Millisecond

// burst is how much longer one is waited for that has lately been silent for a
// while, and well again, several times: its path loses packets in bursts.
const burst = 1500 * time.Millisecond

// patience is for how long i has to be silent yet before that is taken for
// silence, and not for slowness. The first question that it has not answered
// counts, unless nothing is known of how slow it is, or flows have moved since.
func (g *Group) patience(i int, now time.Time) time.Duration {
	r := &g.records[i]
	patience := slowest
	if r.alarms.count(now) >= 2 {
		patience += burst
	}
	if !r.answered.IsZero() && !r.doubt.IsZero() && !r.life.After(r.doubt) {
		patience = max(patience-now.Sub(r.doubt), 0)
	}
	patience = max(patience, r.slow)
	r.slow = 0
	return patience
}

// slowSize is how many bytes show a rate on long paths too: with 64 KiB it is slow
// start that limits it. There is room for two.
const slowSize = 120 << 10

// mostViews is how many others look at a suspect.
const mostViews = 2

// sightlines picks active endpoints through which i can be seen from elsewhere:
// free of doubt, of other prefixes than i if there are any, the nearest first, and each with another as
// its control.
func (g *Group) sightlines(i int, now time.Time) []Sightline {
	var by []int
	for _, j := range g.slots {
		if g.canView(j, i) {
			by = append(by, j)
		}
	}
	lately := now.Add(-g.limits.ProbeEvery) // who has answered since is well
	slices.SortStableFunc(by, func(a, b int) int {
		if near := g.near(a, i) - g.near(b, i); near != 0 {
			return near
		}
		x, y := &g.records[a], &g.records[b]
		if x.seen.Before(lately) || y.seen.Before(lately) {
			return y.seen.Compare(x.seen)
		}
		return cmp.Compare(x.rtt, y.rtt) // it takes the shortest time, and carries most
	})
	var lines []Sightline
	for n, v := range by[:min(len(by), mostViews)] {
		line := Sightline{Viewer: v, Control: Outside}
		if len(by) > 1 {
			line.Control = by[(n+1)%len(by)]
		}
		lines = append(lines, line)
	}
	return lines
}

// near is 1 if two endpoints are of the same prefix, else 0.
func (g *Group) near(j, i int) int {
	if g.records[j].prefix == g.records[i].prefix {
		return 1
	}
	return 0
}

// canView says whether j can look at i, or be the control of one who does.
func (g *Group) canView(j, i int) bool {
	return j >= 0 && j != i && g.records[j].State == Active && !g.records[j].doubtful() && !g.records[j].answered.IsZero()
}

// other is an active endpoint free of doubt, by lot, that i can be asked to reach;
// -1 if there is none.
func (g *Group) other(i int) int {
	n := len(g.slots)
	turn := int(g.draw() % uint64(n))
	for k := range n {
		j := g.slots[(turn+k)%n]
		if g.canView(j, i) {
			return j
		}
	}
	return -1
}
