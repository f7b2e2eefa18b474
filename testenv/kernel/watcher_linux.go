package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
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
	missed   uint64
	seen     recent
}

// watch starts a goroutine, which close ends.
func watch(border *namespace, o Observer, log *slog.Logger) (*watcher, error) {
	w := &watcher{observer: o, log: log, done: make(chan struct{}), seen: newRecent()}
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

func (w *watcher) close() error {
	if w.in == nil {
		return nil
	}
	err := w.in.Close()
	<-w.done
	if w.missed > 0 {
		w.log.Warn("packets have been taken unseen", "packets", w.missed)
	}
	return err
}

func (w *watcher) run() {
	defer close(w.done)
	for {
		err := w.in.Next(w.tell)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			w.log.Error("cannot read what the border logs", "err", err)
			return
		}
		if n := w.in.Missed(); n >= 2*w.missed+1 {
			w.log.Warn("the border logs faster than it can be read", "missed", n)
			w.missed = n
		}
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
