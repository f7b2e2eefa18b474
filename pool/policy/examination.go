package policy

import "time"

// Depth is how thorough an examination is.
type Depth uint8

// The depths.
const (
	// Greet is a TCP handshake, method negotiation and authentication.
	Greet Depth = iota
	// Carry is Greet, then CONNECT to a probe target and a download that is
	// long enough to see a freeze (64 KiB by default).
	Carry
)

// String is the depth in lower case.
func (d Depth) String() string {
	if d == Carry {
		return "carry"
	}
	return "greet"
}

// Examination is what came of looking at one endpoint on purpose.
type Examination struct {
	// Asked is when it began, At when it ended.
	Asked, At time.Time
	// Depth is what was asked for.
	Depth Depth
	// Greeting is how the first two phases ended, over all tries: Answered if
	// any try was answered, else how the last of them failed. Phase is the
	// phase that failed, Connect or Greeting.
	Greeting Outcome
	Phase    Phase
	// RTT is the shortest TCP handshake seen; zero if none completed.
	RTT time.Duration
	// Carried is how the transfer ended: None (not tried, or no probe target is
	// known to work, so nothing can be said), Answered (all bytes came),
	// Stalled (stopped after Bytes), Silent (no reply to CONNECT, or no byte),
	// Reset, Closed, or Refused with Reply.
	Carried Outcome
	Reply   uint8
	// Bytes is what was downloaded, Rate how fast, in bytes a second.
	Bytes int64
	Rate  float64
	// Err is the error behind the worst of it, for people; it is nil if all
	// went well, and never holds a secret.
	Err error
}
