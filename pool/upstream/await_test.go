package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// waiting is a negotiated session and the endpoint's side of it.
func waiting(t *testing.T) (*upstream.Session, net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	go run(there, []step{{3, "\x05\x00"}})
	s, err := (&upstream.Dialer{}).Negotiate(context.Background(), here, anonymous)
	if err != nil {
		t.Error(err)
	}
	return s, there
}

// awaited calls Await, and says how it ends.
func awaited(s *upstream.Session, until time.Time) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- s.Await(until) }()
	synctest.Wait()
	return ended
}

func TestRouseEndsAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, there := waiting(t)
		defer there.Close()
		start := time.Now()
		for range 3 {
			if err := s.Await(time.Now().Add(time.Second)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Await: %v, want its time limit", err)
			}
		}
		ended := awaited(s, time.Now().Add(time.Hour))
		if err := s.Rouse(); err != nil {
			t.Errorf("Rouse: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Await: %v", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Rouse took %v", took-3*time.Second)
		}
		if err := s.Await(time.Now().Add(time.Hour)); err != nil {
			t.Errorf("Await after Rouse: %v", err)
		}
		// The endpoint takes longer than any of the deadlines that there were.
		go func() {
			run(there, []step{{10, ""}})
			time.Sleep(2 * time.Hour)
			_, _ = there.Write([]byte("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"))
		}()
		c, err := s.Request(context.Background(), "192.0.2.1:80")
		if err != nil {
			t.Errorf("Request: %v", err)
			return
		}
		c.Close()
	})
}

func TestRouseBetweenTwoAwaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, there := waiting(t)
		defer there.Close()
		_ = s.Await(time.Now().Add(time.Second))
		if err := s.Rouse(); err != nil {
			t.Errorf("Rouse: %v", err)
		}
		go run(there, []step{{10, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"}})
		c, err := s.Request(context.Background(), "192.0.2.1:80")
		if err != nil {
			t.Errorf("Request: %v", err)
			return
		}
		c.Close()
	})
}

func TestAwaitSeesTheEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(s *upstream.Session, there net.Conn)
		want error
	}{
		{"closed", func(_ *upstream.Session, there net.Conn) { there.Close() }, io.EOF},
		{"speaks", func(_ *upstream.Session, there net.Conn) { _, _ = there.Write([]byte{5}) }, upstream.ErrProtocol},
		{"closed by us", func(s *upstream.Session, _ net.Conn) { s.Close() }, io.ErrClosedPipe},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, there := waiting(t)
				defer there.Close()
				ended := awaited(s, time.Now().Add(time.Hour))
				c.end(s, there)
				if err := <-ended; !errors.Is(err, c.want) {
					t.Errorf("Await: %v, want %v", err, c.want)
				}
				if err := s.Rouse(); !errors.Is(err, c.want) {
					t.Errorf("Rouse: %v, want %v", err, c.want)
				}
				s.Close()
			})
		})
	}
}
