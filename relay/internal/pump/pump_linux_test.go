package pump

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// counts are how many pipes exist, and how many of them nobody uses.
func counts() (made, free int) {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	return pipes.made, len(pipes.free)
}

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func allFree() bool {
	made, free := counts()
	return made == free
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestRestHoldsNothing moves enough through many directions for each of them to
// have been spliced, and looks at what they hold when all is quiet.
func TestRestHoldsNothing(t *testing.T) {
	const n = 200
	before := descriptors(t)
	data := noise(1 << 20)
	for range n {
		c := newCourse(t)
		done := run(c, new(gauge))
		defer func() { c.in.Close(); <-done }()
		go func() { _, _ = c.in.Write(data) }()
		if _, err := io.ReadFull(c.out, make([]byte, len(data))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all pipes are given back", allFree)
	made, _ := counts()
	if made == 0 {
		t.Error("nothing was spliced")
	}
	// Four descriptors are the two connections with both their ends.
	if more := descriptors(t) - before; more > 4*n+2*mostPipes {
		t.Errorf("%d descriptors for %d directions at rest", more, n)
	}
}

// TestBoundOnPipes lets every direction stop in the middle of a spliced step.
func TestBoundOnPipes(t *testing.T) {
	for range mostPipes + 20 {
		c := newCourse(t)
		done := run(c, new(gauge))
		go func() {
			for {
				if _, err := c.in.Write(noise(1 << 20)); err != nil {
					return
				}
			}
		}()
		defer func() { c.src.Close(); c.dst.Close(); <-done }()
	}
	if made, _ := counts(); made > mostPipes {
		t.Errorf("%d pipes, want %d at most", made, mostPipes)
	}
	// Nobody reads. The pipes do not wait for those who do not.
	eventually(t, "pipes are taken from those who do not read", allFree)
}

// TestRescue stops reading in mid-flow, until the pipe has been taken away, and
// then reads on: no byte is lost.
func TestRescue(t *testing.T) {
	c, data := newCourse(t), noise(40<<20)
	done := run(c, new(gauge))
	c.send(data)
	taken := func() bool { return !allFree() }
	eventually(t, "a pipe is taken", taken)
	eventually(t, "and given back", allFree)
	go func() {
		if e := <-done; !errors.Is(e.read, io.EOF) || e.write != nil {
			t.Errorf("ended by %v, %v", e.read, e.write)
		}
		c.dst.CloseWrite()
	}()
	c.receives(t, data)
}

// TestWithoutPipes copies where the kernel gives none.
func TestWithoutPipes(t *testing.T) {
	eventually(t, "all pipes are free", allFree)
	pipes.mu.Lock()
	free, made := pipes.free, pipes.made
	pipes.free, pipes.made = nil, 0
	pipes.mu.Unlock()
	pipes.poor.Store(time.Now().Add(time.Hour).UnixNano())
	defer func() {
		pipes.mu.Lock()
		defer pipes.mu.Unlock()
		pipes.free, pipes.made = free, made
		pipes.poor.Store(0)
	}()
	c, data := newCourse(t), noise(8<<20)
	done := run(c, new(gauge))
	c.send(data)
	go func() { <-done; c.dst.CloseWrite() }()
	c.receives(t, data)
	if made, _ := counts(); made != 0 {
		t.Errorf("%d pipes were made", made)
	}
}
