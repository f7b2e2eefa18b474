package policy

import (
	"fmt"
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
	// last are the latest of all that were ever noted, the newest at place (noted-1)
	// mod its length.
	last  [8]stop
	noted int
	// waiting are flows whose path is silent, of which it is not known yet if it is
	// so for others too. The first waits of them are in use.
	waiting [4]waitingStop
	waits   int
}

// waitingStop is a flow on a path that was found silent at a question asked then.
// Since proven it is known that the path is well for others.
type waitingStop struct {
	stop
	asked, proven int64
}

// resumeWithin is how long a flow may take to go on after its path is back: the
// longest pause between retransmissions, and a round trip.
const resumeWithin = 2 * time.Second

// stop is one flow that has stopped. Times are in Unix nanoseconds, since there are
// many of these: a pool keeps some hundred bytes of them for each endpoint.
type stop struct {
	at          int64
	bytes       int64 // that had gone the way in which it stopped
	destination uint64
	up          bool
	dead        bool // its path was found silent, not merely its sender
	taken       bool // it goes on, and counts no more
}

// similar is how many times the smallest count the largest may be for flows that
// were stopped by one rule: packets differ in size, and what is in flight is lost
// beyond the limit.
const similar = 2

// add notes a client's flow. One that had merely stopped, and whose path is found
// silent now, is the same one.
func (s *stops) add(ev Evidence) {
	s.fade(ev.At)
	st := stopOf(ev)
	if st.dead && st.destination != 0 {
		for k := range min(s.noted, len(s.last)) {
			old := &s.last[(s.noted-1-k)%len(s.last)]
			if old.destination == st.destination && old.bytes == st.bytes && !old.dead && !old.taken && s.n > k {
				old.dead, s.at = true, ev.At
				return
			}
		}
	}
	s.put(st)
	s.at = ev.At
}

// seen notes the flows of an examination.
func (s *stops) seen(x Examination) {
	s.fade(x.At)
	for n, p := range []Passage{x.Down, x.Up} {
		if p.Outcome != Stalled && p.Outcome != Silent {
			continue
		}
		for range max(p.Stopped, 1) {
			s.put(stop{at: x.At.UnixNano(), bytes: p.Bytes, up: n == 1})
		}
		s.at = x.At
	}
}

// wait notes a client's flow whose path is silent: if an answer to a later question
// comes, it is for this flow alone.
func (s *stops) wait(ev Evidence) {
	if s.waits < len(s.waiting) {
		s.waiting[s.waits] = waitingStop{stop: stopOf(ev), asked: ev.Asked.UnixNano()}
		s.waits++
	}
}

// ripen takes an answer to a question, which came at the given time: it counts the flows that are silent still,
// some time after the path was found to be well, but those to destinations to which
// flows stop everywhere, and those that fell silent before an outage of our own ended.
func (s *stops) ripen(asked, came, now, outage time.Time, everywhere func(destination uint64) bool) {
	left := 0
	for _, w := range s.waiting[:s.waits] {
		if w.asked < outage.UnixNano() {
			continue
		}
		if w.proven == 0 && w.asked < asked.UnixNano() {
			w.proven = came.UnixNano()
		}
		if w.proven != 0 && now.UnixNano()-w.proven >= int64(resumeWithin) {
			if everywhere(w.destination) {
				continue
			}
			s.fade(now)
			s.put(w.stop)
			s.at = now
		} else {
			s.waiting[left] = w
			left++
		}
	}
	s.waits = left
}

// fade forgets what is too long ago.
func (s *stops) fade(now time.Time) {
	if now.Sub(s.at) > stallMemory {
		s.n = 0
	}
}

// stopOf is a client's flow.
func stopOf(ev Evidence) stop {
	st := stop{at: ev.At.UnixNano(), bytes: ev.Bytes, destination: ev.Destination, dead: ev.Outcome == Silent}
	if ev.Sent > ev.Bytes {
		st.bytes, st.up = ev.Sent, true
	}
	return st
}

func (s *stops) put(st stop) {
	s.last[s.noted%len(s.last)] = st
	s.noted++
	s.n++
}

// known ranges over the latest of those that n counts.
func (s *stops) known(yield func(stop) bool) {
	for k := range min(s.n, s.noted, len(s.last)) {
		if !yield(s.last[(s.noted-1-k)%len(s.last)]) {
			return
		}
	}
}

// anyUp says whether any of those was an upload.
func (s *stops) anyUp() bool {
	for st := range s.known {
		if st.up {
			return true
		}
	}
	return false
}

// anyDown says whether any of those was a download.
func (s *stops) anyDown() bool {
	for st := range s.known {
		if !st.up {
			return true
		}
	}
	return false
}

// span is the smallest and the largest count of bytes.
func (s *stops) span() (low, high int64) {
	low = -1
	for st := range s.known {
		if st.bytes == 0 || st.taken {
			continue // it had not begun
		}
		if low < 0 || st.bytes < low {
			low = st.bytes
		}
		high = max(high, st.bytes)
	}
	low = max(low, 0)
	return low, high
}

// beyond says whether flows stop later than an examination of the given size can
// see. The smallest count tells: flows that were under way have come further.
func (s *stops) beyond(size int64) bool {
	if size <= 0 {
		size = DefaultSize
	}
	low, _ := s.span()
	return s.n > 0 && low*5/4 > size && size < largestLook
}

// largestLook is the most that one flow moves to see a freeze, in bytes. It is more
// than an examination may move otherwise.
const largestLook = 384 << 10

// look is what the next examination should move to see them again: a quarter more
// than the smallest count, in steps of 16 KiB, and the way in which alone they have
// stopped, if it is one.
func (s *stops) look() (size int64, down, up bool) {
	const step = 16 << 10
	low, _ := s.span()
	size = (low*5/4 + step) / step * step
	return min(max(size, DefaultSize), largestLook), !s.anyUp(), s.anyUp() && !s.anyDown()
}

// damning says whether the clients' flows speak for themselves, although an
// examination went well: enough of them have stopped on a silent path, at about
// the same count, within minutes. So it is where a blocker lets some names pass, and the probe
// target's is one of them. Flows to a destination that stop everywhere are not
// among them, see [fates].
func (s *stops) damning(now time.Time) bool {
	dead, _ := s.dead(now)
	return dead >= fewestStops
}

// dead counts the flows that died in mid-flow within deadMemory, at about the same
// count, 0 if they did not, and gives their destination if it is only one.
func (s *stops) dead(now time.Time) (dead int, only uint64) {
	var low, high int64
	for _, st := range s.last {
		if !st.dead || st.destination == 0 || st.bytes < leastStop || now.UnixNano()-st.at > int64(deadMemory) {
			continue
		}
		if dead == 0 || st.bytes < low {
			low = st.bytes
		}
		if dead == 0 {
			only = st.destination
		} else if st.destination != only {
			only = 0
		}
		high = max(high, st.bytes)
		dead++
	}
	if high > similar*low {
		return 0, 0
	}
	return dead, only
}

const (
	// deadMemory is how long a flow that stopped on a silent path counts, whatever
	// examinations say: on a path that is well no flow dies for itself alone.
	deadMemory = 5 * time.Minute
	// leastStop is how many bytes must have passed for a stop in mid-flow.
	leastStop = 4 << 10
)

// resume takes back the latest flow to a destination, and says whether it was one
// that n counts.
func (s *stops) resume(destination uint64) bool {
	if s.leave(destination) {
		return false
	}
	for k := range min(s.noted, len(s.last)) {
		st := &s.last[(s.noted-1-k)%len(s.last)]
		if st.destination == destination && !st.taken {
			st.taken, st.dead = true, false
			if s.n > 0 {
				s.n--
				return true
			}
			return false
		}
	}
	return false
}

// leave forgets a flow that waits, and says whether there was one.
func (s *stops) leave(destination uint64) bool {
	for n := s.waits - 1; n >= 0; n-- {
		if s.waiting[n].destination == destination {
			s.waits--
			s.waiting[n] = s.waiting[s.waits]
			return true
		}
	}
	return false
}

// String says at which count of bytes they stop, as far as that can be inferred.
func (s *stops) String() string {
	low, high := s.span()
	way := "down"
	if s.anyUp() && !s.anyDown() {
		way = "up"
	}
	if high <= similar*max(low, 1) {
		return fmt.Sprintf("flows stop at about %s %s (%d did)", kib((low+high)/2), way, s.n)
	}
	return fmt.Sprintf("flows stop between %s and %s %s (%d did)", kib(low), kib(high), way, s.n)
}
