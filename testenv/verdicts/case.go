package verdicts

import (
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// Case is one row of the table.
type Case struct {
	// Truth is its name, and what is true.
	Truth string
	// Family is the part of the table that it stands in.
	Family Family
	// Setting is the world.
	Setting Setting
	// Events are what happens, in the order of time.
	Events []Event
	// Right are the answers that count as right about whom the events strike. If
	// they strike no endpoint, it is asked about one that is well.
	Right []Answer
	// Later, if not nil, is right in place of Right at the second reading.
	Later []Answer
	// Bytes is where a freeze begins, 0 if there is none: an answer that names a
	// place must lie within a third of it, or 4 KiB.
	Bytes int64
	// Way is in which direction, "up" or "down", flows stop that stop in one alone, or
	// that only clients who send so meet; empty for both. An answer that names a
	// direction must name that one.
	Way string
	// Undecidable is true if nothing that can be seen from where the relay is
	// tells the truth: to say so is right then, and so is to doubt.
	Undecidable bool
	// Explained, if not nil, says of a draw whether the path alone accounts for
	// what is seen, so that nobody need notice: alive is right too.
	Explained func(Draw) bool
	// Rest is how long the run goes on after the second reading; the third is made
	// at its end, where Back must hold of whom the events have struck.
	Rest time.Duration
	Back []Answer
	// Window, if not zero, is that of residual blocking: whoever was struck must be
	// in use again half a minute after a window has gone by without an attempt.
	Window time.Duration
	// Within bounds the 99th percentile of the time to the verdict; zero: no bound.
	Within time.Duration
}

// Family is a part of the table.
type Family string

// The families, in the order of the table.
const (
	Well    Family = "well"
	Blocked Family = "blocked"
	Frozen  Family = "frozen"
	Slowed  Family = "throttled"
	Broken  Family = "the endpoint itself"
	Ours    Family = "neither"
	Many    Family = "many at once"
)

// Setting is the world of a case, as far as it differs from the usual one.
type Setting struct {
	// Endpoints is how many there are, 0: 12; Active how many of them are in use,
	// 0: 8.
	Endpoints, Active int
	// Crowd is how many of them live in one /16. The others are spread.
	Crowd int
	// Vantages is how many ISPs there are, each with a relay; 0: 1.
	Vantages int
	// V6 has all endpoints at IPv6 addresses.
	V6 bool
	// Foreign has endpoints that are not our own program: no target to probe is in
	// them, and one on the internet is used.
	Foreign bool
	// Trip, if not zero, bounds the round trip to the endpoints of one cloud, in
	// which the endpoint in question lives.
	Trip [2]time.Duration
	// Light has no heavy traffic, whatever the seed says.
	Light bool
	// Objects are what clients ask for; nil is the usual mix.
	Objects []Object
	// Line, if not nil, says how the ISP's own line loses, up and down, at a level
	// of loss. Nil is the level each way, each segment by itself.
	Line func(level float64) (up, down memnet.Loss)
	// Narrow, if not nil, is the bottleneck of that line, up and down.
	Narrow *[2]memnet.Queue
	// Restart has the relay start anew, remembering nothing, at the first event.
	Restart bool
}

// Object is a kind of request, and its weight among the others.
type Object struct {
	// Down and Up are the bytes of the answer and of what is sent with the request.
	Down, Up int64
	Weight   int
	// Site is the destination; empty is the usual one.
	Site string
}

// Whom an event strikes.
type Whom uint8

// The victims.
const (
	// Nobody: it is about something else.
	Nobody Whom = iota
	// One endpoint, in use at that moment, drawn by lot.
	One
	// Pair is that one and another of its /16.
	Pair
	// Neighbours are all endpoints of that one's /16.
	Neighbours
	// Provider has all endpoints of that one's cloud.
	Provider
	// Everyone: all endpoints.
	Everyone
)

// Event is something that happens.
type Event struct {
	// After is when, from the end of the warm-up.
	After time.Duration
	// Whom it strikes.
	Whom Whom
	// Rule, if not nil, is added at the border; its prefixes are those of the
	// victims.
	Rule *blocker.Rule
	// Vantages is at how many ISPs it is; 0: all of them.
	Vantages int
	// Host, if not nil, is done to each victim's machine.
	Host Deed
	// World, if not nil, is done to the rest.
	World func(*Scene) error
	// Lift takes all rules away that were added before.
	Lift bool
}

// Deed is something that is done to an endpoint's machine.
type Deed func(*Scene, *testenv.Host) error

// Answer is what the pool may say of an endpoint.
type Answer struct {
	Verdict policy.Verdict
	// Cause is its cause; None is any.
	Cause policy.Outcome
	// Us is true for the answer that our own network is down.
	Us bool
}

// Draw is what a seed has decided about a run.
type Draw struct {
	Seed uint64
	// Loss is the level of loss, 0 to 1, each way.
	Loss float64
	// Heavy traffic is 10 requests a second and four long streams; light is a
	// request every 2 s.
	Heavy bool
	// RTT is the round trip to the endpoint in question, without queues.
	RTT time.Duration
}
