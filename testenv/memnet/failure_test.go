package memnet_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// A failure is told to whoever asks first; to a reader it looks like a clean end
// from then on.
func TestFailureIsToldOnce(t *testing.T) {
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	write := func(c net.Conn) error { _, err := c.Write(make([]byte, 1)); return err }
	for _, test := range []struct {
		name  string
		calls []func(net.Conn) error
		want  []error
	}{
		{"reads", []func(net.Conn) error{read, read, write}, []error{syscall.ECONNRESET, io.EOF, syscall.EPIPE}},
		{"writes", []func(net.Conn) error{write, read, write}, []error{syscall.ECONNRESET, io.EOF, syscall.EPIPE}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server, _ := pair(t, path(new(border)))
				_ = server.SetLinger(0)
				_ = server.Close()
				time.Sleep(time.Second)
				for n, call := range test.calls {
					if err := call(client); !errors.Is(err, test.want[n]) {
						t.Errorf("call %d: %v, want %v", n, err, test.want[n])
					}
				}
			})
		})
	}
}

// What has been put into the send buffer is written, whatever becomes of it.
func TestWriteDoesNotTellOfWhatItCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near := path(new(border))
		near.Near, near.Far = 0, 0
		client, server, _ := pair(t, near)
		_ = server.Close()
		if n, err := client.Write([]byte("x")); n != 1 || err != nil {
			t.Errorf("the first write: %d, %v", n, err)
		}
		if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the second: %v", err)
		}
	})
}

// RFC 6069: what an ICMP error answers is sent again without waiting longer. The
// connection gives up no sooner for it.
func TestRejectedStreamKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		b.set(blocker.Refuse, blocker.Refuse)
		start := time.Now()
		_, _ = client.Write([]byte("lost"))
		time.Sleep(1100 * ms)
		want := seconds(0, .25, .5, .75, 1)
		if got := b.times(blocker.Data, start); !slices.Equal(got, want) {
			t.Errorf("sent at %v, want %v", got, want)
		}
		b.set(blocker.Forward, blocker.Forward)
		if _, err := io.ReadFull(server, make([]byte, 4)); err != nil {
			t.Error(err)
		}
		b.set(blocker.Refuse, blocker.Refuse)
		start = time.Now()
		_, _ = client.Write([]byte("more"))
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.EHOSTUNREACH) || time.Since(start) < 15*time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// The kernel takes an ICMP error for an answer to what it has sent only if that
// lies in its window, as no probe does.
func TestRejectedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, _, _ := pair(t, path(b))
		_ = client.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3})
		b.set(blocker.Refuse, blocker.Refuse)
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Error(err)
		}
	})
}
