package blocker

import (
	"fmt"
	"time"
)

type actionKind uint8

const (
	drop actionKind = iota
	reset
	reject
	freeze
	police
)

// Action is what a rule does to the packets that it concerns. The zero value
// drops them.
type Action struct {
	kind    actionKind
	count   Direction
	bytes   int64
	rate    float64
	packets int64
	window  time.Duration
	renews  bool
}

// Drop loses packets without a word.
func Drop() Action { return Action{} }

// Reset answers a packet with an RST to both ends.
func Reset() Action { return Action{kind: reset} }

// Reject answers a packet's sender with ICMP host unreachable: a dial ends with
// EHOSTUNREACH, while an established flow, whose kernel takes that for passing
// trouble, is silent as with Drop.
func Reject() Action { return Action{kind: reject} }

// Freeze lets the first n payload bytes of a flow through, counted over both
// directions from the flow's first byte (a client's SOCKS handshake included),
// and then nothing in either direction, for good. Handshakes always pass, as
// they do in the field: 12 to 24 KB, mostly 15 to 20, have been seen.
func Freeze(n int64) Action { return Action{kind: freeze, bytes: max(n, 0)} }

// segment is how many payload bytes a packet of the wire carries at most: a
// train that is sent at one moment is as many packets as that makes.
const segment = 1460

// FreezePackets is Freeze after n packets with payload, of whatever size.
func FreezePackets(n int64) Action { return Action{kind: freeze, packets: max(n, 1)} }

// Police loses what exceeds a rate, in payload bytes a second, per flow and
// direction, by a token bucket that holds half a second's worth, but at least
// 16 KiB. Packets without payload pass.
func Police(bytesPerSecond float64) Action {
	return Action{kind: police, rate: max(bytesPerSecond, 0)}
}

// Counting makes Freeze count the bytes of one direction only. It still stops
// both.
func (a Action) Counting(d Direction) Action {
	a.count = d
	return a
}

// Lingering makes a rule for names residual: once it has struck a flow, new
// flows between the same client address and the same server address and port
// are treated the same way for the window d, whatever names they show. These do
// not prolong the window, unless it is Renewing. In the field 10 min have been
// seen.
func (a Action) Lingering(d time.Duration) Action {
	a.window = max(d, 0)
	return a
}

// Renewing has each attempt within the window of Lingering prolong it: who goes
// on trying stays blocked.
func (a Action) Renewing() Action {
	a.renews = true
	return a
}

// String describes the action for people, e.g. "freeze after 16384 bytes".
func (a Action) String() string {
	var s string
	switch a.kind {
	case reset:
		s = "reset"
	case reject:
		s = "reject"
	case freeze:
		s = fmt.Sprintf("freeze after %d bytes", a.bytes)
		if a.packets > 0 {
			s = fmt.Sprintf("freeze after %d packets", a.packets)
		}
		if a.count != Both {
			s += " " + a.count.String()
		}
	case police:
		s = fmt.Sprintf("police to %.0f B/s", a.rate)
	default:
		s = "drop"
	}
	if a.window > 0 {
		s += fmt.Sprintf(", lingering %v", a.window)
		if a.renews {
			s += ", renewed by each attempt"
		}
	}
	return s
}

// burst is the depth of a policer's bucket. It must hold what accrues during
// one retransmission timeout (200 ms and a round trip), or a sender that has
// lost a packet could never reach the rate.
func (a Action) burst() float64 { return max(a.rate/2, 16<<10) }
