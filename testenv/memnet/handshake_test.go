package memnet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

const ms = time.Millisecond

func seconds(s ...float64) (d []time.Duration) {
	for _, x := range s {
		d = append(d, time.Duration(x*float64(time.Second)))
	}
	return d
}

func path(b *border) memnet.Path {
	return memnet.Path{Near: 10 * ms, Far: 15 * ms, Border: b}
}

func TestSynScheduleAndTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &border{up: blocker.Discard}
		n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path { return path(b) })
		defer func() { _ = n.Close() }()
		h, _ := n.Host(home)
		start := time.Now()
		_, err := h.Dial(context.Background(), port)
		if !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) != 134*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		want := seconds(0, 1, 2, 3, 4, 5, 7, 11, 20, 36, 68)
		if got := b.times(blocker.Syn, start); !slices.Equal(got, want) {
			t.Errorf("SYN at %v, want %v", got, want)
		}
	})
}

func TestDialAnswers(t *testing.T) {
	for _, test := range []struct {
		name string
		act  blocker.Act
		want error
		took time.Duration
	}{
		{"closed port", blocker.Forward, syscall.ECONNREFUSED, 50 * ms},
		{"reset at the border", blocker.Forge, syscall.ECONNREFUSED, 20 * ms},
		{"rejected at the border", blocker.Refuse, syscall.EHOSTUNREACH, 20 * ms},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &border{up: test.act}
				n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path { return path(b) })
				defer func() { _ = n.Close() }()
				h, _ := n.Host(home)
				_, _ = n.Host(cloud)
				start := time.Now()
				_, err := h.Dial(context.Background(), port)
				if !errors.Is(err, test.want) || time.Since(start) != test.took {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(start), test.want, test.took)
				}
				if op := new(net.OpError); !errors.As(err, &op) || op.Op != "dial" {
					t.Errorf("%#v is no *net.OpError of a dial", err)
				}
			})
		})
	}
}

func TestDialCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(nil)
		defer func() { _ = n.Close() }()
		h, _ := n.Host(home)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, err := h.Dial(ctx, port)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if h.Connections() != 0 {
			t.Errorf("%d connections left", h.Connections())
		}
	})
}
