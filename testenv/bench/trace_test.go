package bench

import (
	"testing"
	"time"
)

// What a Go 1.26 program has written, shortened.
const traceText = `SCHED 4ms: gomaxprocs=2 idleprocs=0 threads=5 spinningthreads=0 needspinning=0 idlethreads=1 runqueue=0 gcwaiting=false nmidlelocked=0 stopwait=0 sysmonwait=false
  P0: status=1 schedtick=12 syscalltick=0 m=0 runqsize=1 gfreecnt=0 timerslen=0
  M0: p=0 curg=1 mallocing=0 throwing=0 preemptoff= locks=1 dying=0 spinning=false blocked=false lockedg=nil
  G1: status=2(chan receive) m=0 lockedm=nil
  G2: status=4(force gc (idle)) m=nil lockedm=nil
  G3: status=6() m=nil lockedm=nil
gc 1 @0.012s 2%: 0.018+0.51+0.003 ms clock, 0.037+0.11/0.47/0.21+0.007 ms cpu, 3->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P
time=2026-01-01T00:00:00.000Z level=WARN msg="gc of another kind, 7->8->9 MB, of no concern"
gc 2 @1.5s 1%: 0.018+0.51+0.003 ms clock, 0.037+0.11/0.47/0.21+0.007 ms cpu, 12->14->11 MB, 22 MB goal, 0 MB stacks, 0 MB globals, 2 P
SCHED 1000ms: gomaxprocs=2 idleprocs=2 threads=5 spinningthreads=0 needspinning=0 idlethreads=1 runqueue=0 gcwaiting=false nmidlelocked=0 stopwait=0 sysmonwait=false
  G1: status=4(chan receive) m=nil lockedm=nil
`

// TestRuntimeTrace reads it in pieces of every size.
func TestRuntimeTrace(t *testing.T) {
	for size := 1; size <= len(traceText); size += 13 {
		var trace runtimeTrace
		for rest := []byte(traceText); len(rest) > 0; {
			n, _ := trace.Write(rest[:min(size, len(rest))])
			rest = rest[n:]
		}
		// The second report has not ended.
		if whole, heap := trace.last(); whole != (count{goroutines: 2, at: 4 * time.Millisecond}) || heap != 11<<20 {
			t.Errorf("in pieces of %d: %+v, %d bytes", size, whole, heap)
		}
	}
}

// TestRuntimeTraceEvery is that the reports do not become rare with the samples:
// the last one before the end of a long run would be all that is known after it.
func TestRuntimeTraceEvery(t *testing.T) {
	for _, c := range []struct {
		every time.Duration
		want  string
	}{
		{15 * time.Second, "GODEBUG=gctrace=1,scheddetail=1,schedtrace=2000"},
		{500 * time.Millisecond, "GODEBUG=gctrace=1,scheddetail=1,schedtrace=500"},
		{0, "GODEBUG=gctrace=1,scheddetail=1,schedtrace=1"},
	} {
		if got := new(runtimeTrace).environment(c.every); got != c.want {
			t.Errorf("every %v: %s, want %s", c.every, got, c.want)
		}
	}
}
