package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Config describes a Network. The zero value is useful.
type Config struct {
	// Seed decides the draws of rules with a probability. What gets lost by
	// [Vantage.Lose], the kernel draws itself.
	Seed uint64
	// Logger gets what happens behind the calls. Nil discards it.
	Logger *slog.Logger
}

// Observer is told what happens at a vantage's border, from one goroutine, in
// the order in which it happened. It must be quick: what comes in while it does
// not return is kept, but not without limit.
type Observer interface {
	// Dialled is the first SYN of a flow that the border has seen.
	Dialled(client, server netip.AddrPort, at time.Time)
	// Answered is the first SYN-ACK that the border has let through.
	Answered(client, server netip.AddrPort, at time.Time)
	// Taken is a packet that a rule has not let through.
	Taken(Taken)
	// Sighted is the first packet with payload that a client sends, if it is
	// let through: at most 128 bytes of its beginning, headers not counted. It
	// is told while [Vantage.Sight] is on, and of flows that began meanwhile.
	// The bytes must not be kept.
	Sighted(client, server netip.AddrPort, head []byte, at time.Time)
}

// Taken is a TCP packet that a rule has not let through.
type Taken struct {
	Client, Server netip.AddrPort
	Rule           blocker.RuleID
	Kind           blocker.Kind
	Act            blocker.Act
	Dir            blocker.Direction
	At             time.Time
}

// Traffic is payload that a border has let through, in bytes, retransmissions
// included.
type Traffic struct{ Up, Down int64 }

// UnsupportedError says that a kernel world cannot do something. It wraps
// [errors.ErrUnsupported].
type UnsupportedError struct {
	// What cannot be done, and why, for people.
	What string
	// Err is what the kernel said; it may be nil.
	Err error
}

// Error says what cannot be done.
func (e *UnsupportedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("not supported in a kernel world: %s: %v", e.What, e.Err)
	}
	return "not supported in a kernel world: " + e.What
}

// Unwrap returns [errors.ErrUnsupported] and Err.
func (e *UnsupportedError) Unwrap() []error {
	if e.Err == nil {
		return []error{errors.ErrUnsupported}
	}
	return []error{errors.ErrUnsupported, e.Err}
}
