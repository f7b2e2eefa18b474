package memnet

import (
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// link is one connection: two ends, the packets between them, and one timer for
// whatever is due next. Everything in it is guarded by mu, which nobody holds
// while waiting.
type link struct {
	mu        sync.Mutex
	net       *Network
	border    Border
	near, far instant
	lines     [2]*Line // near, far; may be nil
	seed      uint64
	divert    *Listener
	fortune   *fortune // nil until it matters
	// ends[0] dialled, ends[1] was dialled.
	ends  [2]Conn
	timer *time.Timer
	armed instant
	over  bool
}

// packet is on its way to an end. It stands for the bytes from..to of the
// sender's stream (the end of the stream counts as one byte), and says what the
// sender has received and up to where it will take more.
type packet struct {
	kind     blocker.Kind
	order    uint32 // the place of its last segment among all the sender's
	heard    uint32 // the highest order that the sender has received
	from, to int64
	ack      int64
	edge     int64
	at       instant
}

// wire is a queue of packets in the order of their arrival.
type wire struct {
	items []packet
	head  int
	few   [4]packet
}

func (w *wire) push(p packet) {
	switch {
	case w.items == nil:
		w.items = w.few[:0]
	case w.head == len(w.items):
		w.items, w.head = w.items[:0], 0
	case w.head > 0 && len(w.items) == cap(w.items):
		w.items = w.items[:copy(w.items, w.items[w.head:])]
		w.head = 0
	}
	w.items = append(w.items, p)
}

func (w *wire) first() *packet {
	if w.head == len(w.items) {
		return nil
	}
	return &w.items[w.head]
}

func (w *wire) last() *packet {
	if w.head == len(w.items) {
		return nil
	}
	return &w.items[len(w.items)-1]
}

func (w *wire) pop() packet {
	p := w.items[w.head]
	w.head++
	return p
}

// urgent is when the first packet arrives that somebody could notice. A bare
// acknowledgement is noticed by an end that waits for one; otherwise it is
// looked at when something else happens, and costs no timer.
func (w *wire) urgent(eager bool) instant {
	for i := w.head; i < len(w.items); i++ {
		if eager || w.items[i].kind != blocker.Ack {
			return w.items[i].at
		}
	}
	return never
}

// settle does everything that is due at now, in the order of time, as if each
// had been done at its own moment.
func (l *link) settle(now instant) {
	for !l.over {
		var (
			who *Conn
			do  func(*Conn, instant)
			t   = now
		)
		for i := range l.ends {
			c := &l.ends[i]
			if p := c.peer().wire.first(); p != nil && (p.at < t || who == nil && p.at <= t) {
				who, do, t = c, (*Conn).take, p.at
			}
			if c.doom < t || who == nil && c.doom <= t {
				who, do, t = c, (*Conn).perish, c.doom
			}
			if c.retry < t || who == nil && c.retry <= t {
				who, do, t = c, (*Conn).retransmit, c.retry
			}
			if c.keep < t || who == nil && c.keep <= t {
				who, do, t = c, (*Conn).probe, c.keep
			}
		}
		if who == nil {
			break
		}
		do(who, t)
	}
	l.finish()
}

// rearm sets the timer for what is due next. A timer that is set too early is
// left alone: when it fires there is nothing to do.
func (l *link) rearm(now instant) {
	if l.over {
		return
	}
	next := never
	for i := range l.ends {
		c := &l.ends[i]
		next = min(next, c.doom, c.retry, c.keep, c.peer().wire.urgent(c.eager()))
		if c.reading > 0 && c.readBy > now {
			next = min(next, c.readBy)
		}
		if c.blocked > 0 && c.writeBy > now {
			next = min(next, c.writeBy)
		}
	}
	if next >= l.armed {
		return
	}
	l.armed = next
	if l.timer == nil {
		l.timer = time.AfterFunc(max(next-now, 0), l.fire)
	} else {
		l.timer.Reset(max(next-now, 0))
	}
}

func (l *link) fire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.net.now()
	l.armed = never
	l.settle(now)
	for i := range l.ends {
		c := &l.ends[i]
		if c.reading > 0 && c.readBy <= now {
			c.rd.Broadcast()
		}
		if c.blocked > 0 && c.writeBy <= now {
			c.wr.Broadcast()
		}
	}
	l.rearm(now)
}

// finish lets go of the link once neither end has anything left to do.
func (l *link) finish() {
	if l.over || !l.ends[0].settled() || !l.ends[1].settled() {
		return
	}
	l.over = true
	if l.timer != nil {
		l.timer.Stop()
	}
	for i := range l.ends {
		c := &l.ends[i]
		c.out.release()
		if c.host != nil {
			c.host.detach(l)
		}
	}
}

// abort ends the connection for the process on h, which has died.
func (l *link) abort(h *Host) {
	l.each(h, func(c *Conn, now instant) {
		if c.closed && !c.postponed {
			return // the kernel's alone: it lingers on
		}
		c.closed, c.postponed = true, false
		c.hangUp(now)
	})
}

// forget ends the connection for the process on h, whose machine is gone.
func (l *link) forget(h *Host) {
	l.each(h, func(c *Conn, _ instant) {
		c.closed, c.ghost = true, true
		c.die(nil)
	})
}

// resume lets the process on h go on.
func (l *link) resume(h *Host) {
	l.each(h, func(c *Conn, now instant) {
		if c.postponed {
			c.postponed = false
			c.shutdown(now)
		}
		c.wake()
	})
}

func (l *link) each(h *Host, do func(*Conn, instant)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.net.now()
	l.settle(now)
	for i := range l.ends {
		if c := &l.ends[i]; c.host == h {
			do(c, now)
			c.wake()
		}
	}
	l.settle(now)
	l.rearm(now)
}
