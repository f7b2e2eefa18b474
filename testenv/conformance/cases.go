package conformance

import (
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// What is wanted of a side.
var absent = Want{End: Absent}

func silence(bytes Range) Want             { return Want{Silence, Never, bytes} }
func complete(w When, bytes Range) Want    { return Want{Complete, w, bytes} }
func ends(e End, w When, bytes Range) Want { return Want{e, w, bytes} }

// What has been read, by the client or by the server: nothing, the request, the
// first part, all.
var (
	nothing  = exactly(0)
	question = exactly(asked)
	part     = exactly(first)
	all      = exactly(whole)
)

// troubles is the table, as the kernel does it.
func troubles() []Trouble {
	return []Trouble{
		{Name: "none", begin: nothingHappens, rows: []row{
			{at: Before, client: complete(AtOnce, all), server: complete(AtOnce, question)},
			{at: Handshake, client: complete(AtOnce, all), server: complete(AtOnce, question)},
			{at: Down, client: complete(AtOnce, all), server: complete(AtOnce, question)},
			{at: Up, client: complete(AtOnce, nothing), server: complete(AtOnce, all)},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: silence(part), server: silence(question)},
		}},
		{Name: "drop", Rule: when(blocker.Both, blocker.Drop()), rows: lost()},
		{Name: "cut", begin: cut, rows: lost()},
		{Name: "drop, up only", Rule: when(blocker.Up, blocker.Drop()), rows: []row{
			{at: Before, client: silence(nothing), server: absent},
			{at: Handshake, client: silence(nothing), server: silence(nothing)},
			{
				at: Down, client: silence(flight), server: silence(question),
				memory: &Pair{silence(buffered), silence(question)}, because: uncongested,
			},
			{at: Up, client: silence(nothing), server: silence(part)},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: ends(TimedOut, Seconds, part), server: silence(question)},
			{at: LiftedBefore, client: complete(Soon, all), server: complete(Soon, question)},
			{at: LiftedDown, client: complete(Soon, all), server: complete(Soon, question)},
		}},
		{Name: "drop, down only", Rule: when(blocker.Down, blocker.Drop()), rows: []row{
			{at: Before, client: silence(nothing), server: absent},
			{at: Handshake, client: silence(nothing), server: silence(question)},
			{at: Down, client: silence(part), server: silence(question)},
			{
				at: Up, client: silence(nothing), server: silence(flight),
				memory: &Pair{silence(nothing), silence(buffered)}, because: uncongested,
			},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: ends(TimedOut, Seconds, part), server: ends(Reset, Seconds, question)},
			{at: LiftedBefore, client: complete(Soon, all), server: complete(Soon, question)},
			{at: LiftedDown, client: complete(Soon, all), server: complete(Soon, question)},
		}},
		{Name: "reset", Rule: when(blocker.Both, blocker.Reset()), rows: resets()},
		{Name: "reject", Rule: when(blocker.Both, blocker.Reject()), rows: []row{
			{at: Before, client: ends(Unreachable, AtOnce, nothing), server: absent},
			{at: Handshake, client: silence(nothing), server: silence(nothing)},
			{at: Down, client: silence(part), server: silence(question)},
			{at: Up, client: silence(nothing), server: silence(part)},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: ends(TimedOut, Seconds, part), server: silence(question)},
			{at: LiftedDown, client: complete(AtOnce, all), server: complete(AtOnce, question)},
		}},
		{Name: "freeze 16 KiB", Rule: when(blocker.Both, blocker.Freeze(16<<10)), rows: []row{
			{at: Before, client: silence(frozen), server: silence(question)},
			{at: Handshake, client: silence(frozen), server: silence(question)},
			{at: Down, client: silence(frozen), server: silence(question)},
			{at: Up, client: silence(nothing), server: silence(frozen)},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: silence(part), server: silence(question)},
			{at: LiftedBefore, client: complete(Soon, all), server: complete(Soon, question)},
			{at: LiftedDown, client: complete(Soon, all), server: complete(Soon, question)},
		}},
		{Name: "freeze 16 KiB, down", Rule: when(blocker.Both, blocker.Freeze(16<<10).Counting(blocker.Down)), rows: []row{
			{at: Before, client: silence(frozen), server: silence(question)},
			{at: Down, client: silence(frozen), server: silence(question)},
			{at: Up, client: complete(AtOnce, nothing), server: complete(AtOnce, all)},
		}},
		{Name: "freeze 16 KiB, up", Rule: when(blocker.Both, blocker.Freeze(16<<10).Counting(blocker.Up)), rows: []row{
			{at: Before, client: complete(AtOnce, all), server: complete(AtOnce, question)},
			{at: Down, client: complete(AtOnce, all), server: complete(AtOnce, question)},
			{at: Up, client: silence(nothing), server: silence(frozen)},
		}},
		{Name: "freeze 25 packets", Rule: when(blocker.Both, blocker.FreezePackets(25)), rows: []row{
			{at: Before, client: silence(packets), server: silence(question)},
			{at: Handshake, client: silence(packets), server: silence(question)},
			{
				at: Down, client: silence(morePackets), server: silence(question),
				memory: &Pair{silence(packets), silence(question)}, because: fromTheRule,
			},
			{
				at: Up, client: silence(nothing), server: silence(morePackets),
				memory: &Pair{silence(nothing), silence(packets)}, because: fromTheRule,
			},
			{at: Idle, client: silence(part), server: silence(question)},
		}},
		{Name: "police 1 MiB/s", Rule: when(blocker.Both, blocker.Police(1<<20)), rows: []row{
			{at: Before, client: complete(Second, all), server: complete(Sometime, question)},
			{at: Handshake, client: complete(Second, all), server: complete(Sometime, question)},
			{at: Down, client: complete(Second, all), server: complete(Sometime, question)},
			{at: Up, client: complete(Sometime, nothing), server: complete(Second, all)},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: silence(part), server: silence(question)},
		}},
		{Name: "loss 5 %", begin: lossy, rows: []row{
			{at: Before, client: complete(Sometime, all), server: complete(Sometime, question)},
			{at: Handshake, client: complete(Sometime, all), server: complete(Sometime, question)},
			{at: Down, client: complete(Sometime, all), server: complete(Sometime, question)},
			{at: Up, client: complete(Sometime, nothing), server: complete(Sometime, all)},
			{at: Idle, client: silence(part), server: silence(question)},
		}},
		{Name: "name listed", Rule: &blocker.Rule{When: blocker.When{Names: []string{name}}, Do: blocker.Reset()}, Unsupported: true, rows: []row{
			{at: Before, client: ends(Reset, AtOnce, nothing), server: ends(Reset, AtOnce, nothing)},
			{at: Handshake, client: ends(Reset, AtOnce, nothing), server: ends(Reset, AtOnce, nothing)},
		}},
		{Name: "portal", begin: portal(false), rows: []row{
			{at: Before, client: ends(EOF, AtOnce, from(1)), server: absent},
			{at: Handshake, client: silence(nothing), server: silence(nothing)},
			{at: Down, client: silence(part), server: silence(question)},
			{at: Up, client: silence(nothing), server: silence(part)},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: ends(TimedOut, Seconds, part), server: silence(question)},
			{at: LiftedDown, client: complete(Soon, all), server: complete(Soon, question)},
		}},
		{Name: "portal that resets", begin: portal(true), rows: append([]row{
			{at: Before, client: ends(EOF, AtOnce, from(1)), server: absent},
		}, resets()[1:6]...)},
		{Name: "host vanished", begin: vanish, rows: []row{
			{at: Before, client: silence(nothing), server: absent},
			{at: Handshake, client: silence(nothing), server: ends(Closed, AtOnce, nothing)},
			{at: Down, client: silence(part), server: ends(Closed, AtOnce, question)},
			{at: Up, client: silence(nothing), server: ends(Closed, AtOnce, part)},
			{at: Idle, client: silence(part), server: ends(Closed, AtOnce, question)},
			{at: Kept, client: ends(TimedOut, Seconds, part), server: ends(Closed, AtOnce, question)},
		}},
		{Name: "process killed", begin: stop, rows: []row{
			{at: Before, client: ends(Refused, AtOnce, nothing), server: absent},
			{at: Handshake, client: ends(Reset, AtOnce, nothing), server: ends(Closed, AtOnce, nothing)},
			{at: Down, client: ends(Reset, AtOnce, part), server: ends(Closed, AtOnce, question)},
			{at: Up, client: ends(Reset, AtOnce, nothing), server: ends(Closed, AtOnce, part)},
			{at: Idle, client: ends(Reset, AtOnce, part), server: ends(Closed, AtOnce, question)},
			{at: Kept, client: ends(Reset, AtOnce, part), server: ends(Closed, AtOnce, question)},
		}},
		{Name: "process hangs", begin: hang, rows: []row{
			{at: Before, client: silence(nothing), server: absent},
			{at: Handshake, client: silence(nothing), server: silence(nothing)},
			{at: Down, client: silence(part), server: silence(question)},
			{at: Up, client: silence(nothing), server: silence(part)},
			{at: Idle, client: silence(part), server: silence(question)},
			{at: Kept, client: silence(part), server: silence(question)},
			{at: LiftedBefore, client: complete(AtOnce, all), server: complete(AtOnce, question)},
			{at: LiftedDown, client: complete(AtOnce, all), server: complete(AtOnce, question)},
		}},
		{Name: "closed port", begin: closePort, unserved: true, rows: []row{
			{at: Before, client: ends(Refused, AtOnce, nothing), server: absent},
			{at: Handshake, client: ends(Reset, AtOnce, nothing), server: absent},
		}},
	}
}

// lost is what becomes of a connection whose packets get lost, both ways.
func lost() []row {
	return []row{
		{at: Before, client: silence(nothing), server: absent},
		{at: Handshake, client: silence(nothing), server: silence(nothing)},
		{at: Down, client: silence(part), server: silence(question)},
		{at: Up, client: silence(nothing), server: silence(part)},
		{at: Idle, client: silence(part), server: silence(question)},
		{at: Kept, client: ends(TimedOut, Seconds, part), server: silence(question)},
		{at: LiftedBefore, client: complete(Soon, all), server: complete(Soon, question)},
		{at: LiftedDown, client: complete(Soon, all), server: complete(Soon, question)},
	}
}

// resets is what becomes of one whose packets are answered by RST: of the kernel's
// two sides, the one that sends.
func resets() []row {
	both := func(w When, client, server Range) *Pair { return &Pair{ends(Reset, w, client), ends(Reset, w, server)} }
	return []row{
		{at: Before, client: ends(Refused, AtOnce, nothing), server: absent},
		{
			at: Handshake, client: ends(Reset, AtOnce, nothing), server: silence(nothing),
			memory: both(AtOnce, nothing, nothing), because: oneSided,
		},
		{
			at: Down, client: silence(part), server: ends(Reset, AtOnce, question),
			memory: both(AtOnce, part, question), because: oneSided,
		},
		{
			at: Up, client: ends(Reset, AtOnce, nothing), server: silence(part),
			memory: both(AtOnce, nothing, part), because: oneSided,
		},
		{at: Idle, client: silence(part), server: silence(question)},
		{
			at: Kept, client: ends(Reset, Soon, part), server: silence(question),
			memory: both(Soon, part, question), because: oneSided,
		},
		{
			at: LiftedDown, client: silence(part), server: ends(Reset, AtOnce, question),
			memory: both(AtOnce, part, question), because: oneSided,
		},
	}
}

// Why memory does otherwise.
const (
	oneSided = "nftables answers a packet's sender, and only that: the other side is reset when it next sends. " +
		"A blocker in the field sends RST to both, and so does memory."
	fromTheRule = "nftables counts packets with payload in a bucket that is made with the rule. " +
		"Memory counts them from the flow's first, as both do bytes."
	uncongested = "What is sent arrives, and its acknowledgement does not: as much comes as the sender has under way. " +
		"The kernel keeps to a congestion window, of 10 segments at first; in memory a good path has none, and all that a send buffer holds goes out."
)

var (
	// frozen is what arrives under a freeze at 16 KiB. The kernel counts headers
	// too, and stops at whole packets.
	frozen = between(11<<10, 16<<10)
	// flight is what arrives after the first part while nothing is acknowledged:
	// a congestion window of 10 segments or some more, and buffered the 78 kB that
	// memory's send buffer holds then.
	flight   = between(first+10*segment, first+32*segment)
	buffered = between(first+70_000, first+78_000)
	// packets is what 25 packets carry, of which the request may be one;
	// morePackets what they carry after the first part.
	packets     = between(23*segment, 25*1460)
	morePackets = between(first+24*segment, first+25*segment)
)

// segment is what a packet carries at most.
const segment = 1448
