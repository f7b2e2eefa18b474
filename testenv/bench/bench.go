package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// Bench is a measurement of contenders against each other.
type Bench struct {
	// Contenders have their turns in each round. The first must be [Straight].
	Contenders []Contender
	// Upstream is a command that runs an [Upstream] at the address that is added
	// as an argument, writes its Ports as one line, and goes on until it is
	// killed. A second argument is the line of its origin, if it has one.
	Upstream []string
	// Origin puts the destinations into one more process, to which the upstream
	// relays, as it is in life: then more of the time is not the contender's.
	Origin bool
	// Rounds is how many turns each contender has, at least 1.
	Rounds int
	// Loads is what each turn consists of.
	Loads Loads
	// Progress, if not nil, is told what is going on.
	Progress func(format string, args ...any)
}

// Loads are the bounds of what a contender is put under.
type Loads struct {
	// RunUp is how long a flow runs before it is measured, Flow for how long it
	// is.
	RunUp, Flow time.Duration
	// Connect and Connections bound the short requests by time and number.
	Connect     time.Duration
	Connections int
	// Workers is how many make them at a time.
	Workers int
	// Held is how many idle streams are open besides.
	Held int
	// Idle are the numbers of idle streams to measure their cost at, ascending.
	// Settle is how long the contender is left alone before.
	Idle   []int
	Settle time.Duration
}

// Full are the loads to tell others about.
func Full() Loads {
	return Loads{
		RunUp: 300 * time.Millisecond, Flow: 2 * time.Second,
		Connect: 2 * time.Second, Connections: 20000, Workers: 16,
		Held: 1000, Idle: []int{2500, 9000}, Settle: 1500 * time.Millisecond,
	}
}

// Quick are loads to see whether something has changed much.
func Quick() Loads {
	l := Full()
	l.Flow, l.Connect, l.Idle, l.Settle = 700*time.Millisecond, time.Second, []int{2500}, time.Second
	return l
}

// spare is how many descriptors a process needs besides those of its streams.
const spare = 200

// fit takes out numbers of idle streams that the limit on descriptors does not
// allow: a relay needs two for each.
func (l Loads) fit(limit int) (fits Loads, skipped []int) {
	fits = l
	fits.Idle = nil
	for _, n := range l.Idle {
		if 2*n+spare <= limit {
			fits.Idle = append(fits.Idle, n)
		} else {
			skipped = append(skipped, n)
		}
	}
	return fits, skipped
}

// errStraight is the misuse of a Bench.
var errStraight = errors.New("bench: the first contender must be Straight")

// Run measures. A contender that fails loses that turn, and the report says so;
// without "straight" there is nothing to compare with, so that its failure is
// an error, as is the end of ctx. Nothing that it has started is left behind.
func (b *Bench) Run(ctx context.Context) (*Report, error) {
	if len(b.Contenders) == 0 || b.Contenders[0].Command != nil {
		return nil, errStraight
	}
	dir, err := os.MkdirTemp("", "paperplane-bench")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// The contenders may run as somebody else.
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, err
	}
	limit := descriptorLimit()
	loads, skipped := b.Loads.fit(limit)
	report := newReport(b, loads)
	for _, n := range skipped {
		report.Notes = append(report.Notes, fmt.Sprintf("%d idle streams need %d descriptors, the limit is %d", n, 2*n+spare, limit))
	}
	for round := range b.Rounds {
		for i := range b.Contenders {
			// Nobody always comes after the same one.
			n := i
			if i > 0 {
				n = 1 + (i-1+round)%(len(b.Contenders)-1)
			}
			c := b.Contenders[n]
			b.say("round %d of %d: %s", round+1, b.Rounds, c.Name)
			reading, err := b.turns(ctx, dir, c, loads)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err != nil && n == 0 {
				return nil, fmt.Errorf("straight: %w", err)
			}
			report.add(round, n, reading, err)
		}
	}
	report.conclude()
	return report, nil
}

func (b *Bench) say(format string, args ...any) {
	if b.Progress != nil {
		b.Progress(format, args...)
	}
}

// turns are those of a contender in one round: one under load, and one with
// nothing but idle streams. What was read before an error is returned with it.
func (b *Bench) turns(ctx context.Context, dir string, c Contender, loads Loads) (Reading, error) {
	r := make(Reading)
	err := b.turn(ctx, dir, c, loads, func(t *turn) error {
		var h held
		defer h.drop()
		if err := h.fill(ctx, t.client, loads.Held); err != nil {
			return err
		}
		for _, f := range flows {
			if err := f.run(ctx, t, r); err != nil {
				return err
			}
		}
		if err := connections(ctx, t, r); err != nil {
			return err
		}
		return h.check()
	})
	if len(loads.Idle) == 0 {
		return r, err
	}
	return r, errors.Join(err, b.turn(ctx, dir, c, loads, func(t *turn) error { return idle(ctx, t, r) }))
}

// turn is a contender with its upstream, for as long as a play.
type turn struct {
	contender Contender
	loads     Loads
	client    client
	// Process groups; 0 is none.
	relay, upstream, origin int
}

func (b *Bench) turn(ctx context.Context, dir string, c Contender, loads Loads, play func(*turn) error) error {
	// Connections that wait for their time after the end do not get into each
	// other's way if every turn has its own addresses.
	t := &turn{contender: c, loads: loads}
	var origin *Ports
	if b.Origin {
		p, ports, err := startUpstream(ctx, b.Upstream, nextAddr(), nil)
		if err != nil {
			return err
		}
		defer p.stop()
		t.origin, origin = p.pid(), &ports
	}
	up, ports, err := startUpstream(ctx, b.Upstream, nextAddr(), origin)
	if err != nil {
		return err
	}
	defer up.stop()
	t.upstream, t.client = up.pid(), client{via: ports.SOCKS, ports: ports}
	if c.Command == nil {
		return play(t)
	}
	if t.client.via, err = freePort(nextAddr()); err != nil {
		return err
	}
	argv, err := c.Command(dir, t.client.via, ports.SOCKS)
	if err != nil {
		return err
	}
	p, err := start(argv, nil)
	if err != nil {
		return err
	}
	defer p.stop()
	t.relay = p.pid()
	if err := p.listening(ctx, t.client.via); err != nil {
		return err
	}
	if err := play(t); err != nil {
		select {
		case <-p.ended:
			return fmt.Errorf("%w; it has ended: %s", err, p.said)
		default:
			return err
		}
	}
	return nil
}

func (t *turn) footprint() footprint { return groupFootprint(t.relay) }

// processes are what CPU time is told of, in the names of figures.
var processes = []string{"client", "relay", "upstream", "origin"}

// cost is the CPU time that each of the processes has used.
type cost [4]time.Duration

func (t *turn) cost() cost {
	return cost{processCPU(os.Getpid()), groupCPU(t.relay), groupCPU(t.upstream), groupCPU(t.origin)}
}

func (c cost) since(before cost) cost {
	for i := range c {
		c[i] -= before[i]
	}
	return c
}

// put adds the seconds, times factor; in the name %s is the process.
func (c cost) put(r Reading, name string, factor float64) {
	for i, process := range processes {
		r[fmt.Sprintf(name, process)] = c[i].Seconds() * factor
	}
}

// lastAddr is the loopback address that was used last.
var lastAddr = netip.MustParseAddr("127.42.0.0")

func nextAddr() netip.Addr {
	lastAddr = lastAddr.Next()
	return lastAddr
}

func freePort(at netip.Addr) (netip.AddrPort, error) {
	l, err := net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}
