package blocker

// Direction is a way through the border, or both ways.
type Direction uint8

// The directions. The zero value is both.
const (
	// Both is either way.
	Both Direction = iota
	// Up is from the ISP's customers to the world.
	Up
	// Down is from the world to the ISP's customers.
	Down
)

// String is the direction in lower case.
func (d Direction) String() string {
	switch d {
	case Up:
		return "up"
	case Down:
		return "down"
	case Both:
	}
	return "both"
}

// covers reports whether a packet going way o is meant by d.
func (d Direction) covers(o Direction) bool { return d == Both || d == o }

// Kind is what a packet is for.
type Kind uint8

// The kinds of packets.
const (
	// Syn opens a flow; SynAck answers it.
	Syn Kind = iota
	SynAck
	// Data carries payload, and possibly the end of the stream after it.
	Data
	// Ack carries nothing but an acknowledgement or a window.
	Ack
	// Fin ends one direction without payload.
	Fin
	// Rst ends the flow.
	Rst
	// Probe is a keep-alive or zero-window probe.
	Probe
)

var kindNames = [...]string{"syn", "synack", "data", "ack", "fin", "rst", "probe"}

// String is the kind in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind?"
}

// Packet is one event of a flow, as the border sees it. A packet may be longer
// than any real one: a train of segments sent at one moment is one event, and a
// decision can split it at any byte.
type Packet struct {
	Dir  Direction
	Kind Kind
	// Size is the number of payload bytes, 0 or more.
	Size int
	// Offset is the place of the first payload byte in its direction's stream,
	// so that a byte sent again is known for what it is.
	Offset int64
	// Payload is the beginning of those bytes, as far as the caller has them at
	// hand. It is read during the call only. Without it, names are not seen.
	Payload []byte
}

// Act is what happens to a packet.
type Act uint8

// The acts.
const (
	// Forward lets the packet through.
	Forward Act = iota
	// Discard lets Decision.Pass bytes through and loses the rest without a
	// word.
	Discard
	// Forge loses the packet and sends an RST to both ends in the other's name.
	Forge
	// Refuse loses the packet and answers its sender with ICMP host unreachable.
	Refuse
)

var actNames = [...]string{"forward", "discard", "forge", "refuse"}

// String is the act in lower case.
func (a Act) String() string {
	if int(a) < len(actNames) {
		return actNames[a]
	}
	return "act?"
}

// Decision is what the blocker does with one packet. The zero value forwards.
type Decision struct {
	Act Act
	// Pass is how many leading payload bytes a Discard lets through.
	Pass int
	// Rule is the rule that decided; zero for Forward.
	Rule RuleID
}
