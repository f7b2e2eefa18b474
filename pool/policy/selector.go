package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Candidate is an active endpoint as a [Selector] sees it.
type Candidate struct {
	// Slot is the slot that it holds.
	Slot int
	// Share is its weight, at least 1. Before is the sum of the shares of the
	// slots before it, Total that of all.
	Share, Before, Total int
	// RTT is the published round-trip time, zero if unknown. It moves only when
	// it has changed for good, so that equals do not trade places.
	RTT time.Duration
}

// Query is one request for an endpoint.
type Query struct {
	// Client is the client's [Hash], Epoch how often it was rotated.
	Client uint64
	Epoch  uint32
	// Turn counts the requests of all clients.
	Turn uint64
	// Draw is 64 random bits.
	Draw uint64
}

// Selector orders the active endpoints for a client: the highest score is the
// first choice. Implementations must be safe for concurrent use and must not
// allocate; a score is asked for each candidate in turn.
type Selector interface {
	Score(q Query, c Candidate) float64
}

// The selectors.
var (
	// Sticky keeps a client on one endpoint: weighted rendezvous hashing over
	// (client, epoch, slot), so that only the clients of a lost endpoint move
	// (Thaler and Ravishankar 1998; weights as in Schindler et al. 2005).
	Sticky Selector = sticky{}
	// Random draws anew for each request, by weight.
	Random Selector = random{}
	// RoundRobin takes turns, each endpoint as many in a row as its weight.
	RoundRobin Selector = roundRobin{}
	// LeastLatency takes the lowest round-trip time; those within a quarter of
	// each other count as equal, and a client sticks to one of them.
	LeastLatency Selector = leastLatency{}
)

var selectors = map[string]Selector{
	"sticky": Sticky, "random": Random, "round-robin": RoundRobin, "least-latency": LeastLatency,
}

// SelectorNames lists what [SelectorByName] knows, sorted.
func SelectorNames() []string {
	names := make([]string, 0, len(selectors))
	for n := range selectors {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// SelectorByName finds a selector by the name that users write. An unknown name
// is an error that lists the known ones.
func SelectorByName(name string) (Selector, error) {
	if s, ok := selectors[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("unknown policy %q: want %s", name, strings.Join(SelectorNames(), ", "))
}

type sticky struct{}

func (sticky) Score(q Query, c Candidate) float64 { return rendezvous(q.key(), c) }

type random struct{}

func (random) Score(q Query, c Candidate) float64 { return rendezvous(q.Draw, c) }

type roundRobin struct{}

func (roundRobin) Score(q Query, c Candidate) float64 {
	at := int(q.Turn % uint64(c.Total))
	if c.Before <= at && at < c.Before+c.Share {
		return 0
	}
	return -float64((c.Before - at + c.Total) % c.Total)
}

type leastLatency struct{}

// Score puts round-trip times in steps of 25 % above a floor of 10 ms, below
// which differences are noise, and breaks ties by rendezvous. An unknown time
// ranks as 250 ms: worth trying before a slow endpoint.
func (leastLatency) Score(q Query, c Candidate) float64 {
	rtt := c.RTT
	if rtt == 0 {
		rtt = 250 * time.Millisecond
	}
	step := math.Floor(math.Log(max(1, float64(rtt)/float64(10*time.Millisecond))) / math.Log(1.25))
	tie := rendezvous(q.key(), c)
	return -step + tie/(1+tie)
}

// key is what a client's order of endpoints hangs on.
func (q Query) key() uint64 { return q.Client + Mix(uint64(q.Epoch)) }

// rendezvous is the candidate's weighted score for a key.
func rendezvous(key uint64, c Candidate) float64 {
	return weighted(unit(Mix(key^slotKey(c.Slot))), c.Share)
}

// weighted is the score -w/ln(u), with u uniform in (0,1) by hash.
func weighted(u float64, share int) float64 { return -float64(share) / math.Log(u) }

func slotKey(slot int) uint64 { return Mix(uint64(slot) + 1) }
