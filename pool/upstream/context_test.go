package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// TestContext ends the context in each phase, both ways.
func TestContext(t *testing.T) {
	for _, phase := range []policy.Phase{policy.Connect, policy.Greeting, policy.Request} {
		for _, cancelled := range []bool{true, false} {
			t.Run(fmt.Sprint(phase, cancelled), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					want, outcome := context.Canceled, policy.None
					if cancelled {
						time.AfterFunc(time.Second, cancel)
					} else {
						ctx, cancel = context.WithTimeout(t.Context(), time.Second)
						want, outcome = context.DeadlineExceeded, policy.Silent
					}
					defer cancel()
					began := time.Now()
					err := stuck(ctx, phase)
					if !errors.Is(err, want) || upstream.Classify(err) != outcome {
						t.Errorf("%v (%v), want %v (%v)", err, upstream.Classify(err), want, outcome)
					}
					if took := time.Since(began); took != time.Second {
						t.Errorf("took %v", took)
					}
				})
			})
		}
	}
}

// stuck dials an endpoint that falls silent in the given phase.
func stuck(ctx context.Context, phase policy.Phase) error {
	here, there := net.Pipe()
	defer there.Close()
	d := &upstream.Dialer{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		if phase == policy.Connect {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
		}
		return here, nil
	}}
	c, err := d.Connect(ctx, anonymous)
	if err != nil {
		return err
	}
	go func() {
		if phase == policy.Request {
			run(there, []step{{3, "\x05\x00"}})
		}
		_, _ = io.Copy(io.Discard, there)
	}()
	s, err := d.Negotiate(ctx, c, anonymous)
	if err != nil {
		return err
	}
	_, err = s.Request(ctx, "example.com:443")
	return err
}

// TestContextLater ends the contexts of a dial that has succeeded: the stream
// must not notice.
func TestContextLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		go func() {
			run(there, []step{{3, "\x05\x00"}, {18, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"}})
			time.Sleep(time.Hour)
			_, _ = io.WriteString(there, "late")
			there.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		s, err := (&upstream.Dialer{}).Negotiate(ctx, here, anonymous)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := s.Request(ctx, "example.com:443")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c); string(b) != "late" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}
