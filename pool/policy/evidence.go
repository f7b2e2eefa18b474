package policy

import "time"

// Phase is a part of a stream's life at which something was seen.
type Phase uint8

// The phases, in their order.
const (
	// Connect is the TCP handshake with the endpoint.
	Connect Phase = iota
	// Greeting is SOCKS method negotiation and authentication.
	Greeting
	// Request is CONNECT: from here on the destination has a part in it.
	Request
	// Transfer is everything after the endpoint's success reply.
	Transfer
)

var phaseNames = [...]string{"connect", "greeting", "request", "transfer"}

// String is the phase in lower case.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return "phase?"
}

// Outcome is how a phase ended.
type Outcome uint8

// The outcomes.
const (
	// None means that the phase was not reached.
	None Outcome = iota
	// Answered means that the phase was completed. In Transfer: bytes from the
	// destination came through.
	Answered
	// Overdue means that the phase has taken longer than it should and still
	// runs: a doubt, no failure yet.
	Overdue
	// Silent means that nothing came back within the phase's time limit, or
	// that the kernel's keep-alive probes or retransmissions go unanswered.
	Silent
	// Reset means that an RST ended it; in Connect: connection refused.
	Reset
	// Rejected means that an ICMP error ended it (no route, prohibited).
	Rejected
	// Closed means that the other side closed before the phase was complete.
	Closed
	// Garbage means that the answer was not SOCKS5.
	Garbage
	// Denied means that the credentials, or going without, were refused.
	Denied
	// Refused means that the endpoint answered CONNECT with an error, in Reply.
	Refused
	// Stalled means that a flow stopped in its middle, after Bytes.
	Stalled
	// Resumed means that a flow that had Stalled goes on: it was a lull. What is
	// frozen never does.
	Resumed
	// Ended means that a flow that was Silent has ended, by its client or otherwise,
	// before it went on: it can tell nothing more.
	Ended
	// Slowed means that a flow goes on at far less than its path allows.
	Slowed
	// Local means that our own host failed (no network, no descriptors, no
	// ports): never evidence against an endpoint.
	Local
)

var outcomeNames = [...]string{
	"none", "answered", "overdue", "silent", "reset", "rejected",
	"closed", "garbage", "denied", "refused", "stalled", "resumed", "ended", "slowed", "local",
}

// String is the outcome in lower case.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "outcome?"
}

// NeedsWitness says whether the outcome may be our own network's doing, so that
// it counts against an endpoint only if another one answered at the same time:
// silence, an ICMP rejection, which a router at home also sends when its uplink
// is gone, and an answer that is not SOCKS5, or none at all before the end,
// which is what a captive portal has for everybody. A reset is itself an answer.
func (o Outcome) NeedsWitness() bool {
	return o == Silent || o == Rejected || o == Garbage || o == Closed
}

// onTheWay says whether the outcome leaves open if the endpoint is blocked or down.
func (o Outcome) onTheWay() bool {
	return o == Silent || o == Reset || o == Rejected || o == Closed
}

// Evidence is one observation of one endpoint.
type Evidence struct {
	// Phase and Outcome say what was seen.
	Phase   Phase
	Outcome Outcome
	// Asked is when the question was put on the wire whose answer, or lack of
	// one, this is. Silence counts against an endpoint only if others answered
	// questions of the same moment.
	Asked time.Time
	// At is when it was seen.
	At time.Time
	// Took is the phase's duration, for Answered.
	Took time.Duration
	// Bytes is what had come from the endpoint in Transfer, Sent what had been
	// acknowledged by it.
	Bytes, Sent int64
	// Rate is how fast it goes, in bytes a second, for Slowed; zero if that was not
	// measured.
	Rate float64
	// Destination stands for where the stream goes, so that trouble with one
	// destination is told from trouble with all; 0 is unknown. It is a hash with
	// a secret of the process, and says nothing to anybody else.
	Destination uint64
	// Reply is the SOCKS5 reply code, for Refused.
	Reply uint8
	// Elsewhere is true if the same request succeeded through another endpoint
	// after it had failed here: the destination is not to blame.
	Elsewhere bool
}
