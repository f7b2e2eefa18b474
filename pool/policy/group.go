package policy

import (
	"fmt"
	"net/netip"
	"time"
)

// Record is what a [Group] keeps of one endpoint.
type Record struct {
	// State, Verdict, Cause and Confidence are the conclusion in force, Why says
	// it in one sentence, Since is when State began.
	State      State
	Verdict    Verdict
	Cause      Outcome
	Confidence float64
	Why        string
	Since      time.Time
	// Slot is the slot it holds, -1 if none. A suspect keeps its slot.
	Slot int
	// Exposed is true once a packet has been sent to it from here.
	Exposed bool

	addr     netip.Addr
	prefix   netip.Prefix
	provider string
	known    bool // provider is known

	// answered is when the latest question that it answered was asked, seen
	// when the answer came; used is when a client last made use of it.
	answered, seen, used time.Time
	// tardy is when it last took very long over an answer.
	tardy time.Time
	// carried is when it last showed that it carries enough bytes.
	carried time.Time
	// proved is the same, but only for what really was carried: where nothing could
	// be, that counts as carried too.
	proved time.Time
	// doubt is when the earliest question was asked that is still unanswered.
	// failures counts those since the last answer, one a second at most, as those of
	// one moment are not independent; late counts the ones that were only late.
	// failed is when the last failure was counted.
	doubt    time.Time
	failures int
	late     int
	failed   time.Time
	// transfer is true if what is doubted, or what condemned it, is not whether
	// it answers but what it does to flows; then a greeting cannot clear it.
	transfer bool
	// stops is what is known of flows that stopped or broke off; refusals counts
	// since it last granted a request.
	stops    stops
	refusals int
	// stood are destinations whose refusal nobody else has contradicted, since it last
	// granted a request.
	stood [manyRefused]uint64
	// loss is what share of handshakes fails while it is well. alarms counts the
	// doubts about it that were dispelled, and halves every ten minutes.
	loss   Loss
	alarms alarms
	// compare asks for the next download to be held against another's, larger for
	// one as large as stops says, closely for one as that of a suspect.
	compare, larger, closely bool
	// sampled asks for the next look for the neighbours' sake.
	sampled bool
	// broken counts what went wrong with transfers, other than that they stopped,
	// since one went well.
	broken int
	// held is true while flows of clients alone are what it is to be condemned for,
	// and charge is what it was condemned for.
	held   bool
	charge charge
	// looks counts the looks that were not enough, since it was last in no doubt.
	looks int
	// slow is the time that it is given at least, since all are slow; zero is none.
	slow time.Duration
	// life is when a flow through it that had been silent last moved again.
	life time.Time
	// served is when it last began to serve; interfered is true while it is back
	// from a block.
	served     time.Time
	interfered bool
	// confirm is the verdict that awaits one more answered greeting.
	confirm Outcome
	// lulls and trickles are the pauses in which flows that stop for a while, and slow
	// ones, raise no suspicion.
	lulls, trickles hush
	// unheard is the pause in which refusals that nobody contradicts are not looked
	// into: some clients ask for what is long gone all day.
	unheard hush
	// examine is when it is next to be examined, zero for never; examining is
	// true while an examination runs. retest is the present backoff.
	examine   time.Time
	depth     Depth
	examining bool
	// rtt is the latest round trip that an examination has seen.
	rtt time.Duration
	// nearest is the shortest of them: what its way takes without a queue.
	nearest time.Duration
	// thorough is whether the latest examination was one of an endpoint in doubt.
	thorough bool
	// begun is when the latest examination was begun, perhaps beside a running
	// one, whose failure then means nothing any more.
	begun   time.Time
	routine bool // what is planned is a routine look, which traffic can replace
	idle    bool // it was planned for an endpoint that nobody used
	retest  time.Duration

	mark   mark
	filing filing
}

// inSlot says whether the record takes part in serving clients.
func (r *Record) inSlot() bool { return r.Slot >= 0 }

// inUse says whether clients have made use of it lately.
func (r *Record) inUse(now time.Time) bool { return now.Sub(r.used) <= time.Minute }

// doubtful says whether a question to it is unanswered.
func (r *Record) doubtful() bool { return !r.doubt.IsZero() || r.State == Suspect }

// Group decides for all endpoints of one relay. Feed it with Answered, Observe
// and Examined, then call Advance and do what it says. Endpoints are known by
// their index, the order in which they were added.
type Group struct {
	limits   Limits
	records  []Record
	slots    []int // index of the holder, -1 if free
	out      outage
	agenda   agenda
	tally    tally
	lore     lore
	actions  []Action
	draws    uint64
	answer   time.Time // when any endpoint last answered
	fates    fates
	strange  time.Time     // when an answer that is not SOCKS5 last had no witness
	window   time.Duration // for how long a block lasts that each attempt renews, if known
	windowAt time.Time     // when that was found
}

// NewGroup makes an empty group. Equal seeds and equal inputs give equal
// decisions. It fails if the limits are not valid.
func NewGroup(l Limits, seed uint64) (*Group, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	l = l.withDefaults()
	g := &Group{limits: l, draws: Mix(seed), slots: make([]int, l.Active)}
	for i := range g.slots {
		g.slots[i] = -1
	}
	return g, nil
}

// Add takes in an endpoint as a reserve and returns its index.
func (g *Group) Add(s Spec, now time.Time) int {
	i := len(g.records)
	g.records = append(g.records, newRecord(i, s, now))
	g.tally.enrol(&g.records[i], s.Provider)
	g.touch(i)
	return i
}

func newRecord(i int, s Spec, now time.Time) Record {
	provider := s.Provider
	if provider == "" {
		provider = fmt.Sprintf("unknown %d", i)
	}
	return Record{
		Slot: -1, Since: now, addr: s.Addr, prefix: Neighbourhood(s.Addr), provider: provider, known: s.Provider != "",
	}
}

// Len is how many endpoints were added, retired ones included.
func (g *Group) Len() int { return len(g.records) }

// Record is a copy of what is kept of endpoint i.
func (g *Group) Record(i int) Record { return g.records[i] }

// Slots lists the holder of each slot by index, -1 for a free one. The slice is
// the group's own: read it before the next call.
func (g *Group) Slots() []int { return g.slots }

// Outage is true while nobody answers and it is taken to be our own network.
func (g *Group) Outage() bool { return g.out.stage == ours }

// Retire takes endpoint i out, until Restore.
func (g *Group) Retire(i int, now time.Time) {
	if g.records[i].State != Retired {
		g.move(i, Removed, now, Conclusion{Verdict: g.records[i].Verdict, Why: "removed"})
	}
}

// Restore takes a retired endpoint in again as a reserve, under the same index and
// with what its source says of it now. That it was exposed is not forgotten,
// unless it has another address; a verdict is, and so is the failure of an
// examination that still runs.
func (g *Group) Restore(i int, s Spec, now time.Time) {
	if g.records[i].State != Retired {
		return
	}
	g.move(i, Restored, now, Conclusion{Why: "added again"})
	r := newRecord(i, s, now)
	r.Why, r.begun = g.records[i].Why, now
	r.Exposed = g.records[i].Exposed && g.records[i].addr == s.Addr
	r.mark = g.records[i].mark
	g.count(i, -1) // its neighbourhood and provider may be others now
	g.records[i] = r
	g.tally.enrol(&g.records[i], s.Provider)
	g.touch(i)
}

// draw is 64 seeded pseudo-random bits.
func (g *Group) draw() uint64 {
	g.draws++
	return Mix(g.draws)
}

// shorten takes up to a fifth off d at random, so that examinations of many
// endpoints, or of many relays, do not fall into step.
func (g *Group) shorten(d time.Duration) time.Duration {
	return d - time.Duration(unit(g.draw())*.2*float64(d))
}

// move makes a transition and queues it as an action.
func (g *Group) move(i int, e Event, now time.Time, c Conclusion) {
	r := &g.records[i]
	to, err := Next(r.State, e)
	if err != nil {
		// The callers check the state first; a mistake there must not corrupt
		// the group, so the step is left out.
		return
	}
	g.touch(i)
	c = g.learn(i, to, c, now)
	from := r.State
	r.State, r.Since = to, now
	r.conclude(c)
	if to == Dead || to == Retired || to == Reserve {
		if r.inSlot() {
			g.slots[r.Slot] = -1
			r.Slot = -1
		}
		r.examine = time.Time{}
	}
	if to != Suspect {
		r.looks = 0
		r.doubt, r.failures, r.late, r.stops.n, r.refusals, r.broken, r.confirm = time.Time{}, 0, 0, 0, 0, 0, None
		r.transfer = r.transfer && to == Dead
	}
	g.tell(i, from)
}

// conclude notes a conclusion.
func (r *Record) conclude(c Conclusion) {
	r.Verdict, r.Cause, r.Confidence, r.Why = c.Verdict, c.Cause, c.Confidence, c.Why
}

// tell queues what is concluded of i now, as a transition.
func (g *Group) tell(i int, from State) {
	r := &g.records[i]
	g.actions = append(g.actions, Action{
		Kind: Transition, Endpoint: i, From: from, To: r.State,
		Verdict: r.Verdict, Cause: r.Cause, Confidence: r.Confidence, Why: r.Why,
	})
}

// Listens says whether an answer of endpoint i would change anything now, so
// that it should not wait until the next Advance.
func (g *Group) Listens(i int) bool {
	r := &g.records[i]
	return r.State != Active || r.doubtful() || r.refusals > 0
}

// Questioned says whether it is in question if anybody answers at all.
func (g *Group) Questioned() bool { return g.out.stage != calm }
