package events_test

import (
	"container/heap"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
	"github.com/paperplane-relay/paperplane/testenv/study/events"
)

// scheduled is an event in the queue that this one is held against.
type scheduled struct {
	at  time.Duration
	seq int
}

// plain is the standard library's heap, by time and then by order.
type plain struct {
	events []scheduled
	seq    int
}

func (p *plain) Len() int { return len(p.events) }
func (p *plain) Less(i, j int) bool {
	a, b := p.events[i], p.events[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}
func (p *plain) Swap(i, j int) { p.events[i], p.events[j] = p.events[j], p.events[i] }
func (p *plain) Push(x any)    { p.events = append(p.events, x.(scheduled)) }
func (p *plain) Pop() any {
	last := p.events[len(p.events)-1]
	p.events = p.events[:len(p.events)-1]
	return last
}

func (p *plain) push(at time.Duration) int {
	heap.Push(p, scheduled{at, p.seq})
	p.seq++
	return p.seq - 1
}

// twin is both queues, which must always agree.
type twin struct {
	t     *testing.T
	queue events.Queue[int]
	plain plain
	now   time.Duration
}

func (w *twin) push(at time.Duration) { w.queue.Push(at, w.plain.push(at)) }

func (w *twin) look() {
	at, ok := w.queue.Next()
	if ok != (w.plain.Len() > 0) || ok && at != w.plain.events[0].at {
		w.t.Fatalf("next is at %v, %t; want %v of %d", at, ok, w.plain.events, w.plain.Len())
	}
}

func (w *twin) pop() {
	if w.queue.Len() != w.plain.Len() {
		w.t.Fatalf("%d events, want %d", w.queue.Len(), w.plain.Len())
	}
	at, got, ok := w.queue.Pop()
	if w.plain.Len() == 0 {
		if ok {
			w.t.Fatalf("event %d at %v out of nowhere", got, at)
		}
		return
	}
	want := heap.Pop(&w.plain).(scheduled)
	if !ok || at != want.at || got != want.seq {
		w.t.Fatalf("event %d at %v, %t; want %d at %v", got, at, ok, want.seq, want.at)
	}
	w.now = at
}

func (w *twin) drain() {
	for w.plain.Len() > 0 {
		w.pop()
	}
	w.pop()
}

func TestQueue(t *testing.T) {
	for _, spread := range []time.Duration{1, 3, 300, time.Microsecond, time.Second, 30 * 24 * time.Hour} {
		for _, most := range []int{1, 10, 1000, 10_000} {
			t.Run(fmt.Sprint(spread, " ", most), func(t *testing.T) {
				w := &twin{t: t}
				s := draw.For(1, fmt.Sprint(spread, most)).At(0, 0)
				for range 3 {
					for w.plain.Len() < most {
						w.push(w.now + time.Duration(s.Below(int(spread)+1)))
						if s.Happens(.3) {
							w.look()
						}
						if s.Happens(.4) {
							w.pop()
						}
					}
					for w.plain.Len() > most/2 {
						w.pop()
					}
				}
				w.drain()
			})
		}
	}
}

// FuzzQueue reads an input as a series of deeds: to look, to take, and to schedule at
// some distance, of any order of magnitude.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0x10, 1, 0x10, 1, 0x21, 200, 0x02, 0x01, 0x3f, 255, 0x01, 0x01, 0x10, 0, 0x01, 0x02})
	f.Add([]byte{0x38, 7, 0x37, 7, 0x36, 7, 0x35, 7, 0x34, 7, 1, 0x33, 7, 0x32, 7, 0x31, 7, 0x30, 7, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, deeds []byte) {
		w := &twin{t: t, now: math.MinInt64}
		for len(deeds) > 0 {
			deed := deeds[0]
			deeds = deeds[1:]
			switch {
			case deed&0xf == 1:
				w.pop()
			case deed&0xf == 2:
				w.look()
			default:
				if len(deeds) == 0 {
					return
				}
				distance := uint64(deeds[0]) << (deed >> 4 * 4)
				deeds = deeds[1:]
				if at := w.now + time.Duration(distance); at >= w.now {
					w.push(at)
				}
			}
		}
		w.drain()
	})
}

func TestOrderAtOneTime(t *testing.T) {
	var q events.Queue[int]
	// The same times from far away, from near, and at the time itself.
	times := []time.Duration{time.Hour, time.Hour + 1, 2 * time.Hour}
	next := make(map[time.Duration]int)
	push := func() {
		for _, at := range times {
			q.Push(at, next[at])
			next[at]++
		}
	}
	push()
	q.Push(time.Second, 0)
	q.Push(59*time.Minute, 0)
	q.Pop()
	push()
	q.Pop()
	push()
	if at, got, _ := q.Pop(); at != time.Hour || got != 0 {
		t.Fatalf("event %d at %v", got, at)
	}
	push()
	seen := map[time.Duration]int{time.Hour: 1}
	for q.Len() > 0 {
		at, got, _ := q.Pop()
		if got != seen[at] {
			t.Errorf("event %d at %v, want %d", got, at, seen[at])
		}
		seen[at]++
	}
}

func TestLimits(t *testing.T) {
	var q events.Queue[string]
	for _, at := range []time.Duration{math.MaxInt64, 0, math.MinInt64, -1, 1, math.MaxInt64} {
		q.Push(at, at.String())
	}
	for _, want := range []time.Duration{math.MinInt64, -1, 0, 1, math.MaxInt64, math.MaxInt64} {
		if at, event, ok := q.Pop(); !ok || at != want || event != want.String() {
			t.Errorf("%v %s %t, want %v", at, event, ok, want)
		}
	}
	if at, event, ok := q.Pop(); ok || at != 0 || event != "" {
		t.Errorf("an empty queue gives %v %q %t", at, event, ok)
	}
}

func TestNoWayBack(t *testing.T) {
	var q events.Queue[int]
	q.Push(time.Second, 1)
	q.Push(time.Hour, 2)
	if at, ok := q.Next(); !ok || at != time.Second {
		t.Fatalf("next is at %v", at)
	}
	q.Push(time.Millisecond, 0) // to look does not make it later
	q.Pop()
	q.Push(time.Millisecond, 0) // now is not past
	q.Pop()
	q.Pop()
	defer func() {
		if recover() == nil {
			t.Error("an event in the past is no panic")
		}
	}()
	q.Push(time.Second-1, 3)
}

// TestNothingAllocates keeps a queue as long as it is, while its events go through all
// levels.
func TestNothingAllocates(t *testing.T) {
	var q events.Queue[uint64]
	s := draw.For(1, "steady").At(0, 0)
	next := func() time.Duration { return time.Duration(s.Exponential() * float64(time.Hour)) }
	for i := range uint64(10_000) {
		q.Push(next(), i)
	}
	hold := func() {
		at, event, _ := q.Pop()
		q.Push(at+next(), event)
	}
	for range 100_000 {
		hold()
	}
	if got := testing.AllocsPerRun(50_000, hold); got != 0 {
		t.Errorf("%g allocations an event", got)
	}
}

// What was taken can be collected.
func TestNothingIsHeld(t *testing.T) {
	var q events.Queue[*[1 << 20]byte]
	gone := make(chan struct{}, 40)
	for i := range 40 {
		p := new([1 << 20]byte)
		runtime.SetFinalizer(p, func(any) { gone <- struct{}{} })
		q.Push(time.Duration(i*i)*time.Second, p)
	}
	for q.Len() > 0 {
		q.Pop()
	}
	for range 40 {
		runtime.GC()
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			t.Fatal("an event that was taken is held")
		}
	}
	runtime.KeepAlive(&q)
}

// BenchmarkHold is what an event costs while the queue stays as long as it is: taken,
// and another scheduled (the hold model, Jones 1986).
func BenchmarkHold(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5, 1e6, 1e7} {
		b.Run(fmt.Sprintf("queue/%d", n), func(b *testing.B) {
			var q events.Queue[uint64]
			gaps := gaps(n)
			for i := range n {
				q.Push(gaps[i%len(gaps)], uint64(i))
			}
			i := 0
			step := func() {
				at, event, _ := q.Pop()
				q.Push(at+gaps[i%len(gaps)], event)
				i++
			}
			for range n { // until it is as it will stay
				step()
			}
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
	for _, n := range []int{1e3, 1e4, 1e5, 1e6, 1e7} {
		b.Run(fmt.Sprintf("container_heap/%d", n), func(b *testing.B) {
			var p plain
			gaps := gaps(n)
			for i := range n {
				p.events = append(p.events, scheduled{gaps[i%len(gaps)], i})
			}
			heap.Init(&p)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				e := heap.Pop(&p).(scheduled)
				p.push(e.at + gaps[i%len(gaps)])
				i++
			}
		})
	}
}

// gaps are waits of many kinds: half of them of an hour, the others of minutes,
// seconds and milliseconds, and some of exactly a second.
func gaps(n int) []time.Duration {
	s := draw.For(1, "gaps").At(uint64(n), 0)
	g := make([]time.Duration, 1<<16-1)
	for i := range g {
		scale := []time.Duration{time.Hour, time.Hour, time.Hour, time.Minute, time.Second, time.Millisecond}[s.Below(6)]
		g[i] = time.Duration(s.Exponential() * float64(scale))
		if s.Happens(.05) {
			g[i] = time.Second
		}
	}
	return g
}
