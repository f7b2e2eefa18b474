package bench

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// runtimeTrace reads what a Go program's runtime says of itself on standard
// error if GODEBUG asks for it (see the documentation of package runtime). It
// is the only way to count the goroutines of a program as it is.
type runtimeTrace struct {
	mu       sync.Mutex
	line     []byte // the beginning of a line
	counting count  // in a report that has not ended
	whole    count
	heap     int64
	lost     []string // the last lines of its log about lost endpoints
}

// count is the number of goroutines in one report, and the report's own time,
// counted from the first one. What is read may have waited in a pipe, so that
// the time at which it was read says nothing.
type count struct {
	goroutines int64
	at         time.Duration
}

// traceEvery is the longest time between reports. A report is known to have
// ended only when the next one begins; what is known is twice as old, then.
const traceEvery = 2 * time.Second

// mostLost is how many of those are kept.
const mostLost = 8

// environment is the variable to start the program with, for a report in every
// such time at least.
func (t *runtimeTrace) environment(every time.Duration) string {
	every = min(every, traceEvery)
	return fmt.Sprintf("GODEBUG=gctrace=1,scheddetail=1,schedtrace=%d", max(every.Milliseconds(), 1))
}

// last returns the last report that is whole, and the live heap in bytes.
func (t *runtimeTrace) last() (whole count, heap int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.whole, t.heap
}

// losses returns what the log said of lost endpoints.
func (t *runtimeTrace) losses() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lost)
}

func (t *runtimeTrace) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		t.line = append(t.line, part...)
		if whole {
			t.read(t.line)
			t.line = t.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

func (t *runtimeTrace) read(line []byte) {
	switch {
	case bytes.HasPrefix(line, []byte("SCHED ")):
		// "SCHED 1004ms: gomaxprocs=2 ...". A report begins, so that the last one is
		// complete.
		if t.counting.goroutines > 0 {
			t.whole = t.counting
		}
		ms, _, _ := bytes.Cut(line[len("SCHED "):], []byte("ms:"))
		at, err := strconv.ParseInt(string(ms), 10, 64)
		if err != nil {
			at = 0 // older than anything
		}
		t.counting = count{at: time.Duration(at) * time.Millisecond}
	case bytes.HasPrefix(line, []byte("  G")):
		// "  G7: status=4(select) m=nil lockedm=nil". 6 is dead, and waits to be
		// used again.
		_, status, ok := bytes.Cut(line, []byte(": status="))
		if ok && !bytes.HasPrefix(status, []byte("6(")) {
			t.counting.goroutines++
		}
	case bytes.Contains(line, []byte("endpoint lost")):
		t.lost = append(t.lost, string(line))
		t.lost = t.lost[max(0, len(t.lost)-mostLost):]
	case bytes.HasPrefix(line, []byte("gc ")):
		// "gc 3 @0.1s 1%: ... ms cpu, 4->5->2 MB, 5 MB goal, ...": before, at the
		// end, and what of it is alive.
		before, _, ok := bytes.Cut(line, []byte(" MB, "))
		if !ok {
			return
		}
		live := before[bytes.LastIndexByte(before, '>')+1:]
		if n, err := strconv.ParseInt(string(live), 10, 64); err == nil {
			t.heap = n << 20
		}
	}
}
