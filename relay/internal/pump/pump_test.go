package pump

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// limit ends a test that hangs; none waits for it.
const limit = 30 * time.Second

// link is both ends of a TCP connection over loopback.
func link(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); a.Close() })
	return c.(*net.TCPConn), a.(*net.TCPConn)
}

// course is a direction with somebody at each end: what goes into in is pumped
// from src to dst, and comes out of out.
type course struct{ in, src, dst, out *net.TCPConn }

func newCourse(t testing.TB) course {
	t.Helper()
	var c course
	c.in, c.src = link(t)
	c.dst, c.out = link(t)
	for _, c := range []net.Conn{c.in, c.out} {
		_ = c.SetDeadline(time.Now().Add(limit))
	}
	return c
}

// gauge is a Meter that adds up.
type gauge struct {
	begun, ended int
	bytes        atomic.Int64
}

func (g *gauge) Begin()    { g.begun++ }
func (g *gauge) End(n int) { g.ended++; g.bytes.Add(int64(n)) }

// noise is n bytes in which no piece can pass for another.
func noise(n int) []byte { return allNoise()[:n] }

var allNoise = sync.OnceValue(func() []byte {
	b := make([]byte, 40<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
})

// ended is how a direction ended.
type ended struct{ read, write error }

func run(c course, m Meter) <-chan ended {
	done := make(chan ended, 1)
	go func() {
		var e ended
		e.read, e.write = Run(c.dst, c.src, new(Source), m)
		done <- e
	}()
	return done
}

// send writes b and closes in.
func (c course) send(b []byte) {
	go func() {
		_, _ = c.in.Write(b)
		_ = c.in.CloseWrite()
	}()
}

func (c course) receives(t *testing.T, want []byte) {
	t.Helper()
	got, err := io.ReadAll(c.out)
	if err != nil || sha256.Sum256(got) != sha256.Sum256(want) {
		t.Errorf("%d bytes came out of %d, or others; %v", len(got), len(want), err)
	}
}

func TestEveryByteAndTheEnd(t *testing.T) {
	for _, size := range []int{0, 1, bufferSize - 1, bufferSize, bufferSize + 1, 1 << 20, 20 << 20} {
		c, g, data := newCourse(t), new(gauge), noise(size)
		done := run(c, g)
		c.send(data)
		go func() {
			if e := <-done; !errors.Is(e.read, io.EOF) || e.write != nil {
				t.Errorf("%d bytes: ended by %v, %v", size, e.read, e.write)
			}
			c.dst.CloseWrite()
		}()
		c.receives(t, data)
		if g.bytes.Load() != int64(size) || g.begun != g.ended {
			t.Errorf("%d bytes: metered %d, in %d steps of which %d ended", size, g.bytes.Load(), g.begun, g.ended)
		}
	}
}

// TestSmallStepsAfterBigOnes goes back and forth between splicing and copying.
func TestSmallStepsAfterBigOnes(t *testing.T) {
	c := newCourse(t)
	done := run(c, new(gauge))
	data := noise(1 << 20)
	for _, size := range []int{10, 1 << 20, 1, 300 << 10, 20 << 10, 3, 1 << 20} {
		go func() { _, _ = c.in.Write(data[:size]) }()
		got := make([]byte, size)
		if _, err := io.ReadFull(c.out, got); err != nil || !bytes.Equal(got, data[:size]) {
			t.Fatalf("%d bytes: %v, or others came", size, err)
		}
	}
	c.in.CloseWrite()
	<-done
}

func TestResetIsNoEnd(t *testing.T) {
	for _, size := range []int{0, 100, 1 << 20} {
		c := newCourse(t)
		done := run(c, new(gauge))
		if _, err := c.in.Write(noise(size)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.out, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		_ = c.in.SetLinger(0)
		c.in.Close()
		if e := <-done; !errors.Is(e.read, syscall.ECONNRESET) {
			t.Errorf("after %d bytes: %v, %v, want a reset from reading", size, e.read, e.write)
		}
	}
}

// TestReaderLeaves has the reader go while the writer still writes.
func TestReaderLeaves(t *testing.T) {
	for _, size := range []int{100, 1 << 20} {
		c := newCourse(t)
		done := run(c, new(gauge))
		_ = c.out.SetLinger(0)
		c.out.Close()
		go func() {
			for {
				if _, err := c.in.Write(noise(size)); err != nil {
					return
				}
			}
		}()
		e := <-done
		if e.write == nil {
			t.Errorf("in steps of %d bytes: %v, %v, want an error from writing", size, e.read, e.write)
		}
		c.src.Close()
	}
}

// stopper interrupts the source after every third step.
type stopper struct {
	gauge
	src *net.TCPConn
}

func (s *stopper) End(n int) {
	s.gauge.End(n)
	if s.ended%3 == 0 {
		_ = s.src.SetReadDeadline(time.Unix(1, 0))
	}
}

// TestReadDeadline interrupts a direction again and again. No byte is lost, and
// none comes twice.
func TestReadDeadline(t *testing.T) {
	c, data := newCourse(t), noise(30<<20)
	c.send(data)
	interrupted := make(chan int, 1)
	go func() {
		defer c.dst.CloseWrite()
		m := &stopper{src: c.src}
		for n := 0; ; n++ {
			readErr, writeErr := Run(c.dst, c.src, new(Source), m)
			if !errors.Is(readErr, os.ErrDeadlineExceeded) {
				if !errors.Is(readErr, io.EOF) || writeErr != nil {
					t.Errorf("ended by %v, %v", readErr, writeErr)
				}
				interrupted <- n
				return
			}
			_ = c.src.SetReadDeadline(time.Time{})
		}
	}()
	c.receives(t, data)
	if n := <-interrupted; n < 10 {
		t.Errorf("interrupted %d times only", n)
	}
}

// TestToAnyConnection pumps from a kernel socket to something else, and from
// something else to a kernel socket.
func TestToAnyConnection(t *testing.T) {
	data := noise(1 << 20)
	in, src := link(t)
	dst, out := net.Pipe()
	go func() {
		defer dst.Close()
		if readErr, writeErr := Run(dst, src, new(Source), new(gauge)); !errors.Is(readErr, io.EOF) || writeErr != nil {
			t.Errorf("%v, %v", readErr, writeErr)
		}
	}()
	course{in: in}.send(data)
	if got, err := io.ReadAll(out); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}

	near, far := net.Pipe()
	dst2, out2 := link(t)
	go func() {
		_, _ = near.Write(data)
		near.Close()
	}()
	go func() {
		defer dst2.CloseWrite()
		if readErr, writeErr := Run(dst2, far, new(Source), new(gauge)); !errors.Is(readErr, io.EOF) || writeErr != nil {
			t.Errorf("%v, %v", readErr, writeErr)
		}
	}()
	course{out: out2}.receives(t, data)
}

func TestOnce(t *testing.T) {
	in, src := link(t)
	if _, err := in.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	var got string
	n, err := Once(src, new(Source), func(b []byte) error { got = string(b); return nil })
	if n != 5 || err != nil || got != "hello" {
		t.Errorf("%d, %v, %q", n, err, got)
	}
	in.CloseWrite()
	if n, err := Once(src, new(Source), nil); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	wrong := errors.New("not this")
	near, far := net.Pipe()
	defer far.Close()
	go func() { _, _ = near.Write([]byte("x")); near.Close() }()
	if n, err := Once(far, new(Source), func([]byte) error { return wrong }); n != 1 || !errors.Is(err, wrong) {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := Once(far, new(Source), nil); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end of a pipe: %d, %v", n, err)
	}
}

// TestManyAtOnce has more directions move much than there are pipes.
func TestManyAtOnce(t *testing.T) {
	data := noise(4 << 20)
	var all sync.WaitGroup
	for range 64 {
		c := newCourse(t)
		all.Go(func() {
			Run(c.dst, c.src, new(Source), new(gauge))
			c.dst.CloseWrite()
		})
		c.send(data)
		all.Go(func() { c.receives(t, data) })
	}
	all.Wait()
}
