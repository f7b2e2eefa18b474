package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// What is measured under loss: requests of 64 KiB, one after the other on each of
// some connections, and a long download.
const (
	object   = 64 << 10
	download = 4 << 20
	streams  = 8
	requests = 40 // on each
)

// Losses is how long things take on a path that loses a share of the packets,
// each by itself, in both directions, and on which a round trip takes next to no
// time: what there is to wait for is the sender's timers.
type Losses struct {
	Share float64
	// Took is how long each request for 64 KiB took, in order of length.
	Took []time.Duration
	// Rate is that of a long download, in bytes a second.
	Rate float64
}

// held is more than anything takes that no timer has held up: the shortest
// retransmission timeout is 200 ms.
const held = 150 * time.Millisecond

// Held is the share of the requests that had to wait for a timer.
func (l *Losses) Held() float64 {
	n, _ := slices.BinarySearch(l.Took, held)
	return 1 - float64(n)/float64(len(l.Took))
}

// Mean is how long a request takes on average.
func (l *Losses) Mean() time.Duration {
	var sum time.Duration
	for _, d := range l.Took {
		sum += d
	}
	return sum / time.Duration(len(l.Took))
}

// Quantile is the time within which a share of the requests was done.
func (l *Losses) Quantile(q float64) time.Duration {
	return l.Took[min(int(q*float64(len(l.Took))), len(l.Took)-1)]
}

// shares are those of the packets that are lost.
func shares() []float64 { return []float64{.01, .05} }

// measure makes the requests in a world of a backend whose ISP loses a share of
// the packets, and then the download.
func measure(share float64, on testenv.Backend) (l Losses, err error) {
	w, err := testenv.Open(testenv.Config{Seed: 7, Backend: on})
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	cloud := w.Cloud("cloud", testenv.CloudConfig{Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/24")}})
	isp := w.ISP("isp", testenv.ISPConfig{})
	host, err := cloud.Host(netip.Addr{})
	if err != nil {
		return l, err
	}
	for at, n := range map[uint16]int{port: object, port + 1: download} {
		if err := host.Serve(at, func(c net.Conn) { answer(c, n) }); err != nil {
			return l, err
		}
	}
	dial := func(at uint16) (net.Conn, error) {
		return isp.DialContext(context.Background(), "tcp", netip.AddrPortFrom(host.Addr(), at).String())
	}
	conns := make([]net.Conn, streams+1)
	for n := range conns {
		at := uint16(port)
		if n == streams {
			at++
		}
		if conns[n], err = dial(at); err != nil {
			return l, err
		}
		defer abort(conns[n])
	}
	isp.Line().Lose(memnet.Loss{Share: share}, memnet.Loss{Share: share})

	l.Share = share
	var (
		asking sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	for _, c := range conns[:streams] {
		asking.Go(func() {
			for range requests {
				d, err := ask(c, object)
				mu.Lock()
				l.Took, failed = append(l.Took, d), errors.Join(failed, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	asking.Wait()
	if failed != nil {
		return l, failed
	}
	slices.Sort(l.Took)
	d, err := ask(conns[streams], download)
	l.Rate = float64(download) / max(d, time.Microsecond).Seconds()
	return l, err
}

// answer answers each request with n bytes.
func answer(c net.Conn, n int) {
	b := make([]byte, n)
	for {
		if _, err := io.ReadFull(c, make([]byte, asked)); err != nil {
			return
		}
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// ask makes a request, and returns how long it took until all n bytes were
// there.
func ask(c net.Conn, n int) (time.Duration, error) {
	began := time.Now()
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	if m, err := io.CopyN(io.Discard, c, int64(n)); err != nil {
		return 0, fmt.Errorf("after %d of %d bytes: %w", m, n, err)
	}
	return time.Since(began), nil
}
