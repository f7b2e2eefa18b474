package exit_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/relay/exit"
)

// bubble serves s in virtual time and has f use it.
func bubble(t *testing.T, s *exit.Server, f func(t *testing.T, l *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		f(t, l)
		s.Close()
		if err := <-served; !errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
	})
}

// ends reads to the end of c and returns how long that took.
func ends(c net.Conn) time.Duration {
	began := time.Now()
	_, _ = io.Copy(io.Discard, c)
	c.Close()
	return time.Since(began)
}

func TestDeadlines(t *testing.T) {
	for _, tc := range []struct {
		name string
		send string
		want time.Duration
	}{
		{"nothing", "", 10 * time.Second},
		{"half a greeting", "\x05\x02\x00", 10 * time.Second},
		{"a greeting", "\x05\x01\x00", 5 * time.Minute},
		{"half a request", "\x05\x01\x00\x05\x01\x00", 5 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, &exit.Server{}, func(t *testing.T, l *pipes) {
				c := l.dial()
				go func() { _, _ = io.WriteString(c, tc.send) }()
				if got := ends(c); got != tc.want {
					t.Errorf("ended after %v, want %v", got, tc.want)
				}
			})
		})
	}
}

func TestDialTimeout(t *testing.T) {
	s := &exit.Server{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	bubble(t, s, func(t *testing.T, l *pipes) {
		c := l.dial()
		began := time.Now()
		go func() { _, _ = c.Write(request("a.example")) }()
		reply := make([]byte, 12)
		if _, err := io.ReadFull(c, reply); err != nil || reply[3] != 6 {
			t.Errorf("reply %x, %v, want code 6", reply, err)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("took %v", took)
		}
		ends(c)
	})
}

func TestClientLeavesDuringDial(t *testing.T) {
	cancelled := make(chan time.Time, 1)
	s := &exit.Server{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		cancelled <- time.Now()
		return nil, ctx.Err()
	}}
	bubble(t, s, func(t *testing.T, l *pipes) {
		began := time.Now()
		c := l.dial()
		go func() { _, _ = io.Copy(io.Discard, c) }()
		_, _ = c.Write(request("a.example"))
		time.Sleep(3 * time.Second)
		c.Close()
		if at := (<-cancelled).Sub(began); at != 3*time.Second {
			t.Errorf("the dial was cancelled after %v", at)
		}
	})
}

func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		// What says that it will pass, and what does not: a listener in memory, an
		// LSM's refusal, an error of a wrapper.
		for range 5 {
			l.errs = append(l.errs, syscall.EMFILE, errors.New("something"))
		}
		l.errs = append(l.errs, &net.OpError{Op: "accept", Err: net.ErrClosed})
		began := time.Now()
		s := &exit.Server{}
		if err := s.Serve(l); !errors.Is(err, net.ErrClosed) || errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		// 5 ms, doubled seven times to 640 ms, then 1 s twice.
		if took := time.Since(began); took != 1275*time.Millisecond+2*time.Second {
			t.Errorf("paused for %v", took)
		}
	})
}

// TestAcceptGoesOnAfterErrors: a client that comes after the trouble is served.
func TestAcceptGoesOnAfterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		l.errs = []error{errors.New("something"), syscall.EPERM, errors.New("something else")}
		s := &exit.Server{Open: true}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		c := l.dial()
		go func() { _, _ = c.Write([]byte{5, 1, 0}) }()
		answer := make([]byte, 2)
		if _, err := io.ReadFull(c, answer); err != nil || answer[1] != 0 {
			t.Errorf("answer %x, %v", answer, err)
		}
		c.Close()
		s.Close()
		if err := <-served; !errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
	})
}

func TestCloseEndsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		for range 100 {
			l.errs = append(l.errs, syscall.EMFILE)
		}
		s := &exit.Server{}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		time.Sleep(1500 * time.Millisecond)
		s.Close()
		synctest.Wait()
		select {
		case err := <-served:
			if !errors.Is(err, exit.ErrServerClosed) {
				t.Errorf("Serve = %v", err)
			}
		default:
			t.Error("Serve goes on")
		}
	})
}

// TestShutdown: what has not asked ends at once, a dial and a stream may end.
func TestShutdown(t *testing.T) {
	var dials atomic.Int32
	targets := make(chan net.Conn, 1)
	s := &exit.Server{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials.Add(1)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		here, there := net.Pipe()
		targets <- there
		return here, nil
	}}
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		waiting, dialling := l.dial(), l.dial()
		go func() { _, _ = waiting.Write([]byte{5, 1, 0}) }()
		go func() { _, _ = dialling.Write(request("a.example")) }()
		if _, err := io.ReadFull(dialling, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(ctx) }()
		if took := ends(waiting); took != 0 {
			t.Errorf("a connection without a request ended after %v", took)
		}
		if _, err := io.ReadFull(dialling, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		target := <-targets
		go func() { _, _ = io.WriteString(target, "hello") }()
		if _, err := io.ReadFull(dialling, make([]byte, 5)); err != nil {
			t.Error(err)
		}
		if err := <-down; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("Shutdown took %v", took)
		}
		ends(dialling)
		ends(target)
		if err := <-served; !errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		if err := s.Serve(newPipes()); !errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve again = %v", err)
		}
	})
}
