package policy

// State is where an endpoint stands in its life:
//
//	reserve ──(needed)──> active ──(doubted)──> suspect ──(condemned)──> dead
//	   ^                   ^  ^─────(cleared)──────┘                       │
//	   │ (benched)         │ (needed)                           (returned) │
//	   └─────────────── probation <────────────────────────────────────────┘
//
// Besides, a suspect is benched if its slot has been given to another by the
// time it is cleared; an endpoint in probation, and one of the reserve that was
// asked as a canary, can be condemned; from every state removed leads to retired,
// and from there only restored leads back, to the reserve. The words are those of
// [Event].
type State uint8

// The states.
const (
	// Reserve is known but unused: neither dialled nor probed.
	Reserve State = iota
	// Active holds a slot and serves clients.
	Active
	// Suspect serves nobody new while an active endpoint is left; it is
	// examined out of turn, and its streams stay until the verdict.
	Suspect
	// Dead has lost its slot and its streams, and is retested with backoff.
	Dead
	// Probation has answered one retest and waits for the second.
	Probation
	// Retired is out of the pool, unless it is added again.
	Retired
	// States is the number of states.
	States
)

var stateNames = [...]string{"reserve", "active", "suspect", "dead", "probation", "retired"}

// String is the state in lower case, as users see it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "state?"
}

// Verdict is what the pool concludes about an endpoint.
type Verdict uint8

// The verdicts.
const (
	// Unknown means that nothing is concluded, or that what was seen fits
	// several verdicts: an address that does not answer is blocked or down.
	Unknown Verdict = iota
	// Alive means that data passed.
	Alive
	// Blocked means that the path to the endpoint is interfered with.
	Blocked
	// Frozen means that flows stop after some kilobytes.
	Frozen
	// Throttled means that flows are slowed down on the path.
	Throttled
	// Down means that the endpoint itself does not run.
	Down
	// NoEgress means that the endpoint answers and reaches no destination.
	NoEgress
	// Misconfigured means wrong credentials, or not a SOCKS5 proxy.
	Misconfigured
)

var verdictNames = [...]string{"unknown", "alive", "blocked", "frozen", "throttled", "down", "no-egress", "misconfigured"}

// String is the verdict in lower case, as users see it.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "verdict?"
}
