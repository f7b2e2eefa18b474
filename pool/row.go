package pool

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Row is what the pool's table holds of one endpoint. A row that was read is
// shared with all other readers: it must not be changed.
type Row struct {
	// Name is the endpoint's host and port, the table's key.
	Name string
	// Spec is what was known beforehand. It holds the credentials.
	Spec policy.Spec
	// Prefix is the neighbourhood whose fate the address is likely to share, and
	// Provider whom it belongs to ("" if unknown).
	Prefix   netip.Prefix
	Provider string
	// State, Verdict and Cause are the pool's conclusion, Confidence is how sure it
	// is (0 to 1, see policy.Conclusion), Why says the evidence in one sentence,
	// and Since is when the state began.
	State      policy.State
	Verdict    policy.Verdict
	Cause      policy.Outcome
	Confidence float64
	Why        string
	Since      time.Time
	// Slot is the slot it holds, -1 if none.
	Slot int
	// Schedule is at what time of the day it, or its prefix, is lost again and
	// again, "" if nothing like that is known ([policy.Group.Schedule]). It is as
	// it was at the latest change of state.
	Schedule string
	// Exposed is true once a packet has been sent to it from here.
	Exposed bool
}
