package conformance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// look is how long after a trouble has begun the transport is asked. It is as
// long as it takes to see two probes, or two retransmissions.
const look = 4500 * time.Millisecond

// FlowCase is what the transport of both sides tells of a stream that a trouble
// befalls. Both are tuned as the relay does it, and probe after a second.
type FlowCase struct {
	Name           string
	trouble        Trouble
	at             Moment // Down, Up or Idle
	Client, Server FlowWant
}

// FlowWant bounds what is told. It is the same for both backends.
type FlowWant struct {
	Sent, Acked, Received        Range
	Unacked, Retransmits, Probes Range
	LastRecv, LastAck            Range // in ms
}

// quiet is what there is to tell of a side that has nothing under way, and whose
// other side answers.
func quiet(sent, received Range) FlowWant {
	return FlowWant{
		Sent: sent, Acked: sent, Received: received,
		Unacked: nothing, Retransmits: nothing, Probes: between(0, 1),
		LastRecv: silentSince, LastAck: heardLately,
	}
}

// deaf is the same of one whose probes nobody answers.
func deaf(sent, received Range) FlowWant {
	w := quiet(sent, received)
	w.Probes, w.LastAck = some, silentSince
	return w
}

// stuck is one that sends, and is not acknowledged beyond a number of bytes, to
// which a kernel adds its SYN.
func stuck(acked, received Range) FlowWant {
	return FlowWant{
		Sent: between(acked.Least+1, whole), Acked: between(acked.Least, acked.Most+1), Received: received,
		Unacked: from(1), Retransmits: some, Probes: nothing,
		LastRecv: silentSince, LastAck: silentSince,
	}
}

var (
	some = between(2, 9)
	// acknowledged is what the sender knows to have arrived under a freeze: the
	// acknowledgement of the last bytes to pass does not pass itself.
	acknowledged = between(first, 16<<10)
	silentSince  = between(look.Milliseconds()-300, unbounded)
	heardLately  = between(0, look.Milliseconds()-1000)
)

// flowCases are those that a relay has to tell apart.
func flowCases() []FlowCase {
	drop := Trouble{Rule: when(blocker.Both, blocker.Drop())}
	freeze := Trouble{Rule: when(blocker.Both, blocker.Freeze(16<<10))}
	return []FlowCase{
		{"idle", Trouble{begin: nothingHappens}, Idle, quiet(question, part), quiet(part, question)},
		{"idle, process hangs", Trouble{begin: hang}, Idle, quiet(question, part), quiet(part, question)},
		{"idle, dropped", drop, Idle, deaf(question, part), deaf(part, question)},
		{"download, dropped", drop, Down, deaf(question, part), stuck(part, question)},
		{"upload, dropped", drop, Up, stuck(part, nothing), deaf(nothing, part)},
		{"download, frozen at 16 KiB", freeze, Down, deaf(question, frozen), stuck(acknowledged, question)},
		{"upload, frozen at 16 KiB", freeze, Up, stuck(acknowledged, nothing), deaf(nothing, frozen)},
	}
}

// Flows is what both sides were told.
type Flows struct{ Client, Server policy.Flow }

// play plays a case in a world of a backend. It takes some seconds.
func (c *FlowCase) play(on testenv.Backend) (f Flows, err error) {
	s, err := newScene(on, false)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := performance{scene: s, Case: &Case{Trouble: &c.trouble, Moment: c.at}}
	if err := p.open(false); err != nil {
		return f, err
	}
	if err := p.prepare(); err != nil {
		return f, err
	}
	for _, side := range []*side{p.client, p.server} {
		upstream.Tune(side.conn)
		if err := upstream.KeepAlive(side.conn, time.Second, time.Second); err != nil {
			return f, err
		}
	}
	if err := p.begin(); err != nil {
		return f, err
	}
	switch c.at {
	case Down:
		p.server.say(make([]byte, rest))
	case Up:
		p.client.say(make([]byte, rest))
	case Before, Handshake, Idle, Kept, LiftedBefore, LiftedDown:
	}
	p.await(look, never)
	var ok, okToo bool
	f.Client, ok = upstream.ReadFlow(p.client.conn)
	f.Server, okToo = upstream.ReadFlow(p.server.conn)
	if !ok || !okToo {
		return f, errors.New("the transport does not tell")
	}
	return f, nil
}

// differs names what is out of its bounds at either side, or is empty.
func (c *FlowCase) differs(f Flows) string {
	var wrong []string
	if d := c.Client.differs(f.Client); d != "" {
		wrong = append(wrong, "client: "+d)
	}
	if d := c.Server.differs(f.Server); d != "" {
		wrong = append(wrong, "server: "+d)
	}
	return strings.Join(wrong, "; ")
}

// differs names what is out of its bounds, or is empty.
func (w FlowWant) differs(f policy.Flow) string {
	var wrong []string
	for _, n := range []struct {
		name string
		got  int64
		want Range
	}{
		{"sent", f.Sent, w.Sent},
		{"acked", f.Acked, w.Acked},
		{"received", f.Received, w.Received},
		{"unacked", int64(f.Unacked), w.Unacked},
		{"retransmits", int64(f.Retransmits), w.Retransmits},
		{"probes", int64(f.Probes), w.Probes},
		{"last received, ms ago", f.LastRecv.Milliseconds(), w.LastRecv},
		{"last acknowledged, ms ago", f.LastAck.Milliseconds(), w.LastAck},
	} {
		if !n.want.holds(n.got) {
			wrong = append(wrong, fmt.Sprintf("%s %d, want %d to %d", n.name, n.got, n.want.Least, n.want.Most))
		}
	}
	return strings.Join(wrong, "; ")
}
