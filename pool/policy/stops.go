package policy

import (
	"fmt"
	"slices"
	"time"
)

// stops is what is known of the flows of one endpoint that have stopped: in
// mid-flow, or before a byte that came through another. A blocker that freezes
// flows stops one after the other, at about the same count of bytes; single
// lulls, far apart, are what idle destinations look like.
type stops struct {
	// n counts those with no longer than stallMemory between them, since it last
	// carried; at is when the last one stopped.
	n  int
	at time.Time
	// last are the latest of them, the newest at place (n-1) mod its length.
	last  [8]stop
	noted int
}

// stop is one flow that has stopped.
type stop struct {
	bytes       int64 // that had gone the way in which it stopped
	up          bool
	destination uint64
	dead        bool // its path was found silent, not merely its sender
}

// similar is how many times the smallest count the largest may be for flows that
// were stopped by one rule: packets differ in size, and what is in flight is lost
// beyond the limit.
const similar = 2

// add notes a client's flow.
func (s *stops) add(ev Evidence) {
	if ev.At.Sub(s.at) > stallMemory {
		s.n, s.noted = 0, 0
	}
	st := stop{ev.Bytes, false, ev.Destination, ev.Outcome == Silent}
	if ev.Sent > ev.Bytes {
		st.bytes, st.up = ev.Sent, true
	}
	s.put(st)
	s.at = ev.At
}

// seen notes the flows of an examination.
func (s *stops) seen(x Examination) {
	if x.At.Sub(s.at) > stallMemory {
		s.n, s.noted = 0, 0
	}
	for n, p := range []Passage{x.Down, x.Up} {
		if p.Outcome != Stalled && p.Outcome != Silent {
			continue
		}
		for range max(p.Stopped, 1) {
			s.put(stop{p.Bytes, n == 1, 0, true})
		}
	}
	s.at = x.At
}

func (s *stops) put(st stop) {
	s.last[s.noted%len(s.last)] = st
	s.noted++
	s.n++
}

// known is the latest of them that count.
func (s *stops) known() []stop { return s.last[:min(s.noted, s.n, len(s.last))] }

// span is the smallest and the largest count of bytes.
func (s *stops) span() (low, high int64) {
	for n, st := range s.known() {
		if n == 0 || st.bytes < low {
			low = st.bytes
		}
		high = max(high, st.bytes)
	}
	return low, high
}

// beyond says whether flows stop later than an examination of the given size can
// see. The smallest count tells: flows that were under way have come further.
func (s *stops) beyond(size int64) bool {
	if size <= 0 {
		size = DefaultSize
	}
	low, _ := s.span()
	return s.n > 0 && low > size*3/4 && size < largestLook
}

// largestLook is the most that is downloaded to see a freeze, in bytes.
const largestLook = 1 << 20

// look is what the next examination should move to see them again: a quarter more
// than the smallest count, in steps of 16 KiB.
func (s *stops) look() (size int64, oneWay bool) {
	const step = 16 << 10
	low, _ := s.span()
	size = (low*5/4 + step) / step * step
	return min(max(size, DefaultSize), largestLook), !slices.ContainsFunc(s.known(), func(st stop) bool { return st.up })
}

// damning says whether the clients' flows speak for themselves, although an
// examination went well: enough of them have stopped on a silent path, at about
// the same count. So it is where a blocker lets some names pass, and the probe
// target's is one of them. Flows to a destination that stop everywhere are not
// among them, see [fates].
func (s *stops) damning(now time.Time) bool {
	if now.Sub(s.at) > stallMemory {
		return false
	}
	dead := 0
	for _, st := range s.known() {
		if st.dead && st.destination != 0 && st.bytes > 0 {
			dead++
		}
	}
	low, high := s.span()
	return dead >= fewestStops && high <= similar*max(low, 1<<10)
}

// String says at which count of bytes they stop, as far as that can be inferred.
func (s *stops) String() string {
	low, high := s.span()
	way := "down"
	if k := s.known(); len(k) > 0 && !slices.ContainsFunc(k, func(st stop) bool { return !st.up }) {
		way = "up"
	}
	if high <= similar*max(low, 1) {
		return fmt.Sprintf("flows stop at about %s %s (%d did)", kib((low+high)/2), way, s.n)
	}
	return fmt.Sprintf("flows stop between %s and %s %s (%d did)", kib(low), kib(high), way, s.n)
}
