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

// Passage is what came of moving bytes one way.
type Passage struct {
	// Outcome is None (not tried, or nothing can be said, as no probe target is
	// known to work), Answered (all bytes went through), Stalled (stopped after
	// Bytes, for good as far as was waited), Slowed (ended for being far below
	// what the path allows), Silent (no reply to CONNECT, or no byte), Reset,
	// Closed, or Refused with Reply.
	Outcome Outcome
	Reply   uint8
	// Bytes is what went through: received in a download, acknowledged in an
	// upload. Rate is how fast, in bytes a second.
	// After is how many bytes had come before that of which it is the rate, 0 if it
	// is that of all.
	Bytes, After int64
	Rate         float64
	// Flows is how many were made at the same time, Stopped how many of them
	// ended in this Outcome; both are 0 where it was one, and not counted.
	Flows, Stopped int
}

// Examination is what came of looking at one endpoint on purpose.
type Examination struct {
	// Asked is when it began, At when it ended.
	Asked, At time.Time
	// Depth is what was asked for, Size how many bytes each way of a Carry.
	Depth Depth
	Size  int64
	// Greeting is how the first two phases ended, over all tries: Answered if
	// any try was answered, else how most of them failed, the last of them if
	// equal. Phase is the phase that failed, Connect or Greeting.
	Greeting Outcome
	Phase    Phase
	// Tries is how many handshakes were made independently of each other,
	// Failures how many of them were not answered. Both are 0 if that was not
	// counted.
	Tries, Failures int
	// RTT is the shortest TCP handshake seen; zero if none completed.
	RTT time.Duration
	// Down and Up are the transfers of a Carry. Where several were made, it is
	// the worst that counts.
	Down, Up Passage
	// Usual is the rate of the same download through another endpoint at the same
	// time, in bytes a second; zero if none was made. UsualRTT is that other's shortest
	// TCP handshake, zero if it is not known, and UsualBytes is what came.
	Usual      float64
	UsualRTT   time.Duration
	UsualBytes int64
	// Egress is how another endpoint, known to answer, fared through this one:
	// None if that was not tried, Refused with EgressReply if this one refused.
	Egress      Outcome
	EgressReply uint8
	// Views is what others saw of it.
	Views []View
	// Loss is what share of handshakes with it are known to fail while it is
	// well, 0 to 1. Zero is unknown.
	Loss float64
	// Err is the error behind the worst of it, for people; it is nil if all
	// went well, and never holds a secret.
	Err error
}
