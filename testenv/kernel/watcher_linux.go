package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// What the border's rules log, each with a word.
const (
	logGroup   = 1
	wordSyn    = "syn"
	wordSynAck = "synack"
	wordHead   = "head"
	wordTaken  = "taken" // followed by the rule, the act and the direction

	// snapLength is enough for the headers: 40 bytes of IP, 60 of TCP.
	snapLength = 128
	// headLength is that and 128 bytes of payload.
	headLength = 100 + maxHead
	maxHead    = 128
)

// told has a packet told to the observer.
func told(word string) nft.Expr { return nft.Log(logGroup, word, snapLength) }

// taken is told for a packet that a rule is about to take.
func taken(l *laid, act blocker.Act, s side) nft.Expr {
	return told(fmt.Sprintf("%s %d %d %d", wordTaken, l.id, act, s.dir))
}

// watcher tells an observer what the border logs.
type watcher struct {
	in       *nft.Watcher
	observer Observer
	log      *slog.Logger
	done     chan struct{}
	seen     recent

	mu     sync.Mutex
	marked uint32        // the last mark that was asked for
	passed uint32        // the last that was come by
	come   chan struct{} // closed when the next one is
	missed uint64
	failed error
}

// watch starts a goroutine, which close ends.
func watch(border *namespace, o Observer, log *slog.Logger) (*watcher, error) {
	w := &watcher{observer: o, log: log, done: make(chan struct{}), come: make(chan struct{}), seen: newRecent()}
	if o == nil {
		close(w.done)
		return w, nil
	}
	err := border.do(func() (err error) {
		w.in, err = nft.Watch(logGroup, headLength)
		return err
	})
	if err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// How long may pass until all is told: for who asks, and in the end.
const (
	settlePatience = time.Second
	closePatience  = 10 * time.Second
)

// Settle waits until the observer has been told of everything that the border saw
// before the call, for a second at most. An error says that it has not: there was
// no time, or more came at once than could be kept, at any time since the vantage
// was made. The observer must not call it.
func (v *Vantage) Settle() error { return v.watcher.settle(settlePatience) }

// markEvery is how often a mark is sent: one that finds the queue full is lost.
const markEvery = 50 * time.Millisecond

func (w *watcher) settle(patience time.Duration) error {
	if w.in == nil {
		return nil
	}
	w.mu.Lock()
	w.marked++
	mark := w.marked
	w.mu.Unlock()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(markEvery)
	defer again.Stop()
	for send := true; ; {
		select {
		case <-w.done:
			return w.verdict()
		default:
		}
		if send {
			if err := w.in.Mark(mark); err != nil && !errors.Is(err, os.ErrClosed) {
				return fmt.Errorf("kernel: what the border logs: %w", err)
			}
		}
		w.mu.Lock()
		there, come := int32(w.passed-mark) >= 0, w.come
		w.mu.Unlock()
		if there {
			return w.verdict()
		}
		select {
		case <-come:
			send = false
		case <-w.done:
		case <-again.C:
			send = true
		case <-end.C:
			return errors.Join(fmt.Errorf("kernel: the observer has not been told within %v of all that the border has logged", patience), w.verdict())
		}
	}
}

// verdict is what has gone wrong so far.
func (w *watcher) verdict() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missed > 0 {
		return errors.Join(fmt.Errorf("kernel: the border has logged faster than it could be read: at least %d packets are untold", w.missed), w.failed)
	}
	return w.failed
}

// close tells what is still to be told.
func (w *watcher) close() error {
	if w.in == nil {
		return nil
	}
	told := w.settle(closePatience)
	err := w.in.Close()
	<-w.done
	return errors.Join(told, err)
}

func (w *watcher) run() {
	defer close(w.done)
	for {
		err := w.in.Next(w.tell, w.pass)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		w.mu.Lock()
		if n := w.in.Missed(); n > w.missed {
			if w.missed == 0 {
				w.log.Warn("the border logs faster than it can be read", "missed", n)
			}
			w.missed = n
		}
		if err != nil {
			w.failed = fmt.Errorf("kernel: what the border logs: %w", err)
			w.log.Error("cannot read what the border logs", "err", err)
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// pass is a mark that all before it has been told.
func (w *watcher) pass(mark uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missed = max(w.missed, w.in.Missed())
	if int32(mark-w.passed) > 0 {
		w.passed = mark
		close(w.come)
		w.come = make(chan struct{})
	}
}

// tell turns a packet into what the observer is told.
func (w *watcher) tell(word string, packet []byte) {
	p, ok := parse(packet)
	if !ok {
		return
	}
	now := time.Now()
	switch word {
	case wordSyn:
		if w.seen.first(flow{p.source, p.destination}, p.seq, blocker.Up) {
			w.observer.Dialled(p.source, p.destination, now)
		}
	case wordSynAck:
		if w.seen.first(flow{p.destination, p.source}, p.seq, blocker.Down) {
			w.observer.Answered(p.destination, p.source, now)
		}
	case wordHead:
		w.observer.Sighted(p.source, p.destination, p.payload[:min(len(p.payload), maxHead)], now)
	default:
		if t, ok := parseTaken(word); ok {
			t.Client, t.Server = p.source, p.destination
			if t.Dir == blocker.Down {
				t.Client, t.Server = t.Server, t.Client
			}
			t.Kind, t.At = p.kind(), now
			w.observer.Taken(t)
		}
	}
}

func parseTaken(word string) (t Taken, ok bool) {
	f := strings.Fields(word)
	if len(f) != 4 || f[0] != wordTaken {
		return t, false
	}
	var n [3]uint64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseUint(f[i+1], 10, 32); err != nil {
			return t, false
		}
	}
	t.Rule, t.Act, t.Dir = blocker.RuleID(n[0]), blocker.Act(n[1]), blocker.Direction(n[2])
	return t, true
}

// flow is a client and a server.
type flow struct{ client, server netip.AddrPort }

// recent remembers the handshakes of the last flows, so that a SYN that comes
// again is known for what it is: it has the same sequence number.
type recent struct{ now, before map[handshake]uint32 }

type handshake struct {
	flow
	dir blocker.Direction
}

// remembered is how many handshakes are remembered for certain.
const remembered = 1 << 16

func newRecent() recent { return recent{now: make(map[handshake]uint32)} }

// first reports whether a handshake has not been seen before.
func (r *recent) first(f flow, seq uint32, d blocker.Direction) bool {
	h := handshake{f, d}
	old, ok := r.now[h]
	if !ok {
		old, ok = r.before[h]
	}
	if len(r.now) >= remembered {
		r.now, r.before = make(map[handshake]uint32), r.now
	}
	r.now[h] = seq
	return !ok || old != seq
}
