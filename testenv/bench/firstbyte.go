package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/relay/exit"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// FirstByte is how long a client waits for the first byte of an answer, in a
// network in memory where distance is all that takes time: there is one
// endpoint, a round trip away from the relay; the client is beside the relay,
// and the destination beside the endpoint.
type FirstByte struct {
	// RoundTrip is the distance, more than 0.
	RoundTrip time.Duration
	// Password has the endpoint ask for one.
	Password bool
	// Warmed has another request go before, long enough for the relay to prepare
	// itself for the next one. Without it the relay is fresh.
	Warmed bool
}

// The addresses of the network.
var (
	firstHome  = netip.MustParseAddrPort("192.168.1.2:1080")
	firstExit  = netip.MustParseAddrPort("52.58.4.7:1080")
	firstPlace = netip.MustParseAddrPort("93.184.216.1:7")
)

// Measure returns the time from the client's first packet to the first byte of
// the answer, in round trips. It may run in a testing/synctest bubble, where
// that is exact; elsewhere it takes real time.
func (f FirstByte) Measure(ctx context.Context) (trips float64, err error) {
	network := memnet.New(func(_ *memnet.Host, _, to netip.AddrPort) memnet.Path {
		if to.Addr() == firstExit.Addr() {
			return memnet.Path{Near: f.RoundTrip / 4, Far: f.RoundTrip / 4}
		}
		return memnet.Path{}
	})
	var parts sync.WaitGroup
	defer parts.Wait()
	defer func() { _ = network.Close() }()
	home, err := network.Host(firstHome.Addr())
	if err != nil {
		return 0, err
	}
	spec, end, err := f.endpoint(network, &parts)
	defer end()
	if err != nil {
		return 0, err
	}
	stop, err := f.relay(ctx, home, spec, &parts)
	defer stop()
	if err != nil {
		return 0, err
	}
	if f.Warmed {
		if _, err := firstByte(ctx, home); err != nil {
			return 0, err
		}
		if err := pause(ctx, 20*f.RoundTrip); err != nil {
			return 0, err
		}
	}
	took, err := firstByte(ctx, home)
	return float64(took) / float64(f.RoundTrip), err
}

// endpoint puts an exit, and a destination that echoes, into the network.
func (f FirstByte) endpoint(network *memnet.Network, parts *sync.WaitGroup) (spec policy.Spec, end func(), err error) {
	end = func() {}
	place, err := network.Host(firstPlace.Addr())
	if err != nil {
		return spec, end, err
	}
	front, err := network.Host(firstExit.Addr())
	if err != nil {
		return spec, end, err
	}
	site, err := place.Listen(firstPlace.Port())
	if err != nil {
		return spec, end, err
	}
	parts.Go(func() {
		for {
			c, err := site.Accept()
			if err != nil {
				return
			}
			parts.Go(func() {
				echo(c)
				_ = c.Close()
			})
		}
	})
	l, err := front.Listen(firstExit.Port())
	if err != nil {
		return spec, end, err
	}
	server := &exit.Server{Open: true, Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		return front.Dial(ctx, to)
	}}
	spec = policy.Spec{Host: firstExit.Addr().String(), Addr: firstExit.Addr(), Port: firstExit.Port()}
	if f.Password {
		spec.User, spec.Password = "user", "password"
		server.Users = map[string]string{spec.User: spec.Password}
	}
	parts.Go(func() { _ = server.Serve(l) })
	return spec, func() { _ = server.Close() }, nil
}

// relay runs one, with its pool, until stop is called.
func (f FirstByte) relay(ctx context.Context, home *memnet.Host, spec policy.Spec, parts *sync.WaitGroup) (stop func(), err error) {
	stop = func() {}
	members, err := pool.New(pool.Config{})
	if err != nil {
		return stop, err
	}
	if err := members.Add(spec); err != nil {
		return stop, err
	}
	server, err := relay.New(relay.Config{Pool: members, Upstream: &upstream.Dialer{
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return nil, err
			}
			return home.Dial(ctx, to)
		},
	}})
	if err != nil {
		return stop, err
	}
	l, err := home.ListenLoopback(firstHome.Port())
	if err != nil {
		return stop, err
	}
	ctx, cancel := context.WithCancel(ctx)
	changed := members.Changed()
	parts.Go(func() { _ = members.Run(ctx) })
	parts.Go(func() { _ = server.Serve(l) })
	stop = func() {
		_ = server.Close()
		cancel()
	}
	select {
	case <-changed: // it has taken up its endpoint
		return stop, nil
	case <-ctx.Done():
		return stop, context.Cause(ctx)
	}
}

// firstByte is one request of a client beside the relay.
func firstByte(ctx context.Context, home *memnet.Host) (time.Duration, error) {
	began := time.Now()
	c, err := home.Dial(ctx, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), firstHome.Port()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	if err := negotiate(c, firstPlace); err != nil {
		return 0, err
	}
	var b [1]byte
	if _, err := c.Write(b[:]); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// RoundTrips are the distances to measure first bytes at.
var RoundTrips = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}

// FirstByteRow is the wait for a first byte at each of RoundTrips.
type FirstByteRow struct {
	Name  string    `json:"name"`
	Trips []float64 `json:"round_trips"`
}

// attempts are how often a first byte is measured in real time. The least counts:
// whatever else this machine does comes on top.
const attempts = 3

// FirstBytes measures rows of first bytes in real time, all at once, since all
// that they do is wait. Warmed rows are for a relay that keeps connections warm.
func FirstBytes(ctx context.Context, warmed bool) ([]FirstByteRow, error) {
	type row struct {
		name string
		kind FirstByte
	}
	kinds := []row{{"cold", FirstByte{}}, {"cold, with a password", FirstByte{Password: true}}}
	if warmed {
		kinds = append(kinds, row{"warm", FirstByte{Warmed: true}}, row{"warm, with a password", FirstByte{Warmed: true, Password: true}})
	}
	rows := make([]FirstByteRow, len(kinds))
	errs := make([]error, len(kinds)*len(RoundTrips))
	var wg sync.WaitGroup
	for i, kind := range kinds {
		rows[i] = FirstByteRow{Name: kind.name, Trips: make([]float64, len(RoundTrips))}
		for j, trip := range RoundTrips {
			f := kind.kind
			f.RoundTrip = trip
			wg.Go(func() {
				least := math.Inf(1)
				for range attempts {
					trips, err := f.Measure(ctx)
					if err != nil {
						errs[i*len(RoundTrips)+j] = fmt.Errorf("first byte, %s, %v: %w", kind.name, trip, err)
						return
					}
					least = min(least, trips)
				}
				rows[i].Trips[j] = least
			})
		}
	}
	wg.Wait()
	return rows, errors.Join(errs...)
}
