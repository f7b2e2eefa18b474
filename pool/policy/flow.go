package policy

import "time"

// Flow is what the transport knows of one TCP connection, read at one moment.
// On Linux it comes from TCP_INFO; in the in-memory world from the simulation.
type Flow struct {
	// Sent, Acked and Received count payload bytes: handed to the network,
	// acknowledged by the other side, and come in.
	Sent, Acked, Received int64
	// LastRecv and LastAck are how long ago the last payload and the last
	// acknowledgement of any kind came in.
	LastRecv, LastAck time.Duration
	// Unacked is how many segments wait for an acknowledgement, Retransmits how
	// many times the oldest of them has been sent again, Probes how many
	// keep-alive (or zero-window) probes are unanswered.
	Unacked, Retransmits, Probes int
	// RTT is the smoothed round-trip time; zero if not measured.
	RTT time.Duration

	// The rest counts over the whole connection, and tells of loss. Segments are
	// those with payload, of the size that the transport has sent them in.
	// Resent/SegmentsOut is the share that was lost on the way out, or that was
	// taken for lost; no acknowledgement is counted.
	SegmentsOut int64 // sent, those sent again included
	Resent      int64 // sent again, a repeated SYN included
	// Disordered are those of the SegmentsIn that came in while one before them
	// was missing. Each loss on the way in makes some: up to a window full, but
	// none if it was the last segment before a pause. Zero means no loss in the
	// midst of a flow.
	SegmentsIn, Disordered int64
}
