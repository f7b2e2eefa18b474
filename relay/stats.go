package relay

import "sync/atomic"

// Stats are counters since the Server was made, and two gauges. They are read
// one by one, so that sums may be off by what happens meanwhile.
type Stats struct {
	// Requests is how many CONNECT requests were read. Of those, Granted were
	// answered with success, Refused with what the destination or its endpoints
	// said, Left were given up by their clients, and Failed were the relay's own
	// failures. The rest is being dialled.
	Requests, Granted, Refused, Left, Failed int64
	// Hedges is how many times a second attempt was started, or would have been
	// had there been another endpoint, because the first took too long.
	// SecondOpinions is how many failure replies were checked through another
	// endpoint.
	Hedges, SecondOpinions int64
	// WarmHits is how many times a request found a warm connection to the
	// endpoint that it was to ask, WarmMisses how many times it did not. WarmLost
	// is how many of those turned out to be dead, and had their request go on over
	// a new one.
	WarmHits, WarmMisses, WarmLost int64
	// Moved is how many first flights went on through another endpoint.
	Moved int64
	// Cut is how many streams were cut because of a verdict, Broken how many
	// ended by any other error.
	Cut, Broken int64
	// Up and Down are the bytes handed to endpoints and to clients.
	Up, Down int64
	// Resting is a gauge: directions, two to a stream, that wait without a
	// goroutine.
	Resting int64
	// Clients and Open are gauges: connections from clients, and those of them
	// that have a stream.
	Clients, Open int64
}

type stats struct {
	requests, granted, refused, left, failed atomic.Int64
	hedges, secondOpinions, moved            atomic.Int64
	warmHits, warmMisses, warmLost           atomic.Int64
	cut, broken, up, down                    atomic.Int64
	clients, open, resting                   atomic.Int64
}

// Stats reads the counters. It is safe for concurrent use.
func (s *Server) Stats() Stats {
	c := &s.stats
	return Stats{
		Requests: c.requests.Load(), Granted: c.granted.Load(), Refused: c.refused.Load(),
		Left: c.left.Load(), Failed: c.failed.Load(),
		Hedges: c.hedges.Load(), SecondOpinions: c.secondOpinions.Load(), Moved: c.moved.Load(),
		WarmHits: c.warmHits.Load(), WarmMisses: c.warmMisses.Load(), WarmLost: c.warmLost.Load(),
		Cut: c.cut.Load(), Broken: c.broken.Load(), Up: c.up.Load(), Down: c.down.Load(),
		Resting: c.resting.Load(), Clients: c.clients.Load(), Open: c.open.Load(),
	}
}
