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

// LossCase is how long requests take where a share of the packets gets lost, each
// by itself, in both directions. A round trip takes next to no time, so what there
// is to wait for is the sender's timers, of which the shortest takes 200 ms. They
// are asked one after the other on each of eight connections.
type LossCase struct {
	Share    float64
	Size     int // of an answer, in bytes
	Requests int // in all
	// Kernel and Memory bound the share of requests that have to wait for a
	// timer: how often that happens by what was measured, with room for luck.
	Kernel, Memory [2]float64
	Because        string // of a difference
}

// lossCases are those that were measured, 320 requests each and several times over:
// on the kernel .6 and 9 % of those of 4 KiB wait, 2 to 4 and 19 to 26 % of 64
// KiB, 0 to 65 and 80 to 96 % of 1 MiB.
func lossCases() []LossCase {
	few, some, many := [2]float64{0, .08}, [2]float64{.03, .24}, [2]float64{.10, .36}
	return []LossCase{
		{Share: .01, Size: 4 << 10, Requests: 320, Kernel: few, Memory: few, Because: probeless},
		{Share: .05, Size: 4 << 10, Requests: 320, Kernel: some, Memory: some, Because: probeless},
		{Share: .01, Size: 64 << 10, Requests: 320, Kernel: [2]float64{0, .12}, Memory: [2]float64{0, .12}},
		{Share: .05, Size: 64 << 10, Requests: 320, Kernel: many, Memory: many},
		{Share: .01, Size: 1 << 20, Requests: 24, Kernel: [2]float64{0, 1}, Memory: [2]float64{0, .3}, Because: untimed},
		{Share: .05, Size: 1 << 20, Requests: 24, Kernel: [2]float64{.2, 1}, Memory: [2]float64{0, .5}, Because: untimed},
	}
}

const (
	probeless = "Memory's sender has no tail loss probe (RFC 8985): the last segments of an answer wait for the timer more often."
	untimed   = "The kernel's sender also meets its timer amid a transfer, about once in 15 losses; " +
		"memory's always hears of one by what comes behind it, and without a delay that takes no time."
)

// Name is the case's, for people.
func (c *LossCase) Name() string {
	return fmt.Sprintf("%g %% loss, %s", 100*c.Share, size(int64(c.Size)))
}

// Losses are the times that the requests took, in order of length.
type Losses []time.Duration

// connections is how many are asked at the same time, held more than a request
// takes that no timer has held up.
const (
	connections = 8
	held        = 150 * time.Millisecond
)

// Held is the share of the requests that had to wait for a timer.
func (l Losses) Held() float64 {
	n, _ := slices.BinarySearch(l, held)
	return 1 - float64(n)/float64(len(l))
}

// Mean is how long a request took on average.
func (l Losses) Mean() time.Duration {
	var sum time.Duration
	for _, d := range l {
		sum += d
	}
	return sum / time.Duration(len(l))
}

// Quantile is the time within which a share of the requests was done.
func (l Losses) Quantile(q float64) time.Duration {
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

// play makes the requests in a world of a backend.
func (c *LossCase) play(on testenv.Backend) (took Losses, err error) {
	w, err := testenv.Open(testenv.Config{Seed: 7, Backend: on})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	cloud := w.Cloud("cloud", testenv.CloudConfig{Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/24")}})
	isp := w.ISP("isp", testenv.ISPConfig{})
	host, err := cloud.Host(netip.Addr{})
	if err != nil {
		return nil, err
	}
	if err := host.Serve(port, func(d net.Conn) { answer(d, c.Size) }); err != nil {
		return nil, err
	}
	var conns []net.Conn
	for range connections {
		d, err := isp.DialContext(context.Background(), "tcp", netip.AddrPortFrom(host.Addr(), port).String())
		if err != nil {
			return nil, err
		}
		defer abort(d)
		conns = append(conns, d)
	}
	isp.Line().Lose(memnet.Loss{Share: c.Share}, memnet.Loss{Share: c.Share})
	var (
		asking sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	for _, d := range conns {
		asking.Go(func() {
			for range c.Requests / connections {
				t, err := ask(d, c.Size)
				mu.Lock()
				took, failed = append(took, t), errors.Join(failed, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	asking.Wait()
	slices.Sort(took)
	return took, failed
}

// differs tells how what was measured is not what is said of that backend, or is
// empty.
func (c *LossCase) differs(l Losses, kernel bool) string {
	bounds := c.Memory
	if kernel {
		bounds = c.Kernel
	}
	if h := l.Held(); h < bounds[0] || h > bounds[1] {
		return fmt.Sprintf("%.1f %% had to wait for a timer, want %g to %g", 100*h, 100*bounds[0], 100*bounds[1])
	}
	return ""
}

// late reports whether more waited than should, as on a machine that is so busy
// that they wait for it.
func (c *LossCase) late(l Losses) bool { return l.Held() > c.Kernel[1] }

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
