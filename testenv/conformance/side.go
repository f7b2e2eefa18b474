package conformance

import (
	"net"
	"sync"
	"time"
)

// side is one end of a connection, with somebody who reads there all the time.
type side struct {
	conn   net.Conn
	tasks  sync.WaitGroup
	saying sync.WaitGroup
	bell   chan<- struct{} // rung at each news

	mu       sync.Mutex
	got      int64
	due      int64 // as many make it complete; 0: it waits for no end of what it reads
	finished time.Time
	ends     [2]struct {
		end End
		at  time.Time
	}
}

// Of ends, what reading gave, and what writing gave.
const reading, writing = 0, 1

// attend begins to read. What is due makes the side complete; 0 is for a side
// that is complete when it has written. It keeps no connection alive, as package
// net would after 15 s.
func attend(c net.Conn, due int64, bell chan<- struct{}) *side {
	if k, ok := c.(keeper); ok {
		_ = k.SetKeepAliveConfig(net.KeepAliveConfig{Idle: -1, Interval: -1, Count: -1})
	}
	s := &side{conn: c, due: due, bell: bell}
	s.tasks.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, err := c.Read(b)
			s.mu.Lock()
			s.got += int64(n)
			if s.due > 0 && s.got >= s.due && s.finished.IsZero() {
				s.finished = time.Now()
			}
			s.mu.Unlock()
			if err != nil {
				s.ended(reading, endOf(err))
				return
			}
			s.ring()
		}
	})
	return s
}

// say writes b, in the background.
func (s *side) say(b []byte) {
	s.saying.Add(1)
	s.tasks.Go(func() {
		defer s.saying.Done()
		if _, err := s.conn.Write(b); err != nil {
			s.ended(writing, endOf(err))
			return
		}
		s.mu.Lock()
		if s.due == 0 {
			s.finished = time.Now()
		}
		s.mu.Unlock()
		s.ring()
	})
}

// expect changes what the side waits for.
func (s *side) expect(due int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = due
}

// restart waits until all has been said, and forgets that the side was complete.
func (s *side) restart() {
	s.saying.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = time.Time{}
}

func (s *side) ended(how int, e End) {
	s.mu.Lock()
	s.ends[how].end, s.ends[how].at = e, time.Now()
	s.mu.Unlock()
	s.ring()
}

func (s *side) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// read is how many bytes have come.
func (s *side) read() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// seen is what there is to tell, with times since began.
func (s *side) seen(began time.Time) Seen {
	if s == nil {
		return Seen{End: Absent}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := Seen{Bytes: s.got}
	if !s.finished.IsZero() {
		seen.End, seen.After = Complete, max(s.finished.Sub(began), 0)
	}
	for _, e := range s.ends {
		if e.end.tells() > seen.End.tells() && !e.at.IsZero() {
			seen.End, seen.After = e.end, max(e.at.Sub(began), 0)
		}
	}
	return seen
}

// close gives the connection up without a trace, and waits for those who used
// it.
func (s *side) close() {
	if s == nil {
		return
	}
	abort(s.conn)
	s.tasks.Wait()
}

func abort(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	c.Close()
}
