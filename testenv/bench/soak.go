package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Soak keeps a relay busy for long, with streams that start and end all the
// time, and looks whether it grows.
type Soak struct {
	// Relay is the command of the relay to look at, as in [Contender], for
	// several endpoints. It must be a Go program: its runtime is asked, by
	// GODEBUG, for its goroutines and its heap.
	Relay func(listen netip.AddrPort, endpoints []netip.AddrPort) []string
	// Endpoint is the command of an endpoint that listens at an address and
	// reaches destinations on loopback, Endpoints how many of them there are.
	Endpoint  func(listen netip.AddrPort) []string
	Endpoints int
	// Destination is the command of an [Upstream], as in [Bench], for the services
	// behind the endpoints.
	Destination []string
	// Streams is how many are open at a time, each of them for a second or so.
	Streams int
	// Duration is how long it takes, Every the time between samples.
	Duration, Every time.Duration
	// Seed makes the streams' behaviour repeatable.
	Seed uint64
	// Progress, if not nil, is told of each sample.
	Progress func(Sample)
}

// Sample is the state of the relay at a moment.
type Sample struct {
	// At is the time since the beginning.
	At time.Duration
	// Memory is what it has of the machine, in bytes; Heap what was in use after
	// the last collection, in whole MiB.
	Memory, Heap int64
	// Descriptors and Goroutines are their numbers. Goroutines are those of the
	// last time the runtime told, a few seconds ago; Before and After wait for
	// what it tells from then on.
	Descriptors, Goroutines int64
	// Open is how many streams the clients had open, Ended how many had run
	// their course, and Failed how many of those had not been served.
	Open, Ended, Failed int64
}

// rest is how long a relay may take to come to rest after the last stream.
const rest = 15 * time.Second

// Run soaks. Its error says that it could not, or the end of ctx; how it went is
// in the report.
func (s *Soak) Run(ctx context.Context) (*SoakReport, error) {
	_ = descriptorLimit()
	destination, services, err := startUpstream(ctx, s.Destination, nextAddr(), nil)
	if err != nil {
		return nil, err
	}
	defer destination.stop()
	var endpoints []netip.AddrPort
	for range s.Endpoints {
		at, err := freePort(nextAddr())
		if err != nil {
			return nil, err
		}
		p, err := start(s.Endpoint(at), nil)
		if err != nil {
			return nil, err
		}
		defer p.stop()
		if err := p.listening(ctx, at); err != nil {
			return nil, err
		}
		endpoints = append(endpoints, at)
	}
	at, err := freePort(nextAddr())
	if err != nil {
		return nil, err
	}
	told := &runtimeTrace{}
	p := newProcess(s.Relay(at, endpoints))
	p.cmd.Stderr = io.MultiWriter(p.said, told)
	p.cmd.Env = append(os.Environ(), told.environment(s.Every))
	started := time.Now()
	if err := p.start(nil); err != nil {
		return nil, err
	}
	defer p.stop()
	if err := p.listening(ctx, at); err != nil {
		return nil, err
	}
	r := &soaking{Soak: s, client: client{via: at, ports: services}, relay: p, told: told, started: started}
	return r.run(ctx)
}

// soaking is a soak that runs.
type soaking struct {
	*Soak

	client client
	relay  *process
	told   *runtimeTrace

	started time.Time // no later than the relay's first report
	began   time.Time

	open, ended, failed atomic.Int64
	failure             atomic.Pointer[string] // the last one
}

func (r *soaking) run(ctx context.Context) (*SoakReport, error) {
	// Every part of it has worked once when its state at rest is looked at.
	for range r.Streams / 10 {
		_ = r.stream(ctx, rand.New(rand.NewPCG(r.Seed, 0)), 0)
	}
	r.began = time.Now()
	warm := func(Sample) bool { return time.Since(r.began) >= 3*r.Every }
	before, err := r.settle(ctx, warm)
	if err != nil {
		return nil, err
	}
	report := &SoakReport{Before: before}
	report.Before.At = 0

	r.began = time.Now()
	// Not a deadline, which a dial would run into before anybody knows of it.
	load, stop := context.WithCancel(ctx)
	defer stop()
	defer time.AfterFunc(r.Duration, stop).Stop()
	var wg sync.WaitGroup
	for n := range r.Streams {
		wg.Go(func() { r.worker(load, rand.New(rand.NewPCG(r.Seed, uint64(n)+1))) })
	}
	ticker := time.NewTicker(r.Every)
	defer ticker.Stop()
	for load.Err() == nil {
		select {
		case <-ticker.C:
			sample := r.sample()
			report.Samples = append(report.Samples, sample)
			if r.Progress != nil {
				r.Progress(sample)
			}
		case <-r.relay.ended:
			stop()
		case <-load.Done():
		}
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	select {
	case <-r.relay.ended:
		return nil, fmt.Errorf("the relay has ended: %s", r.relay.said)
	default:
	}
	if report.After, err = r.settle(ctx, report.Before.restsAs); err != nil {
		return nil, err
	}
	if f := r.failure.Load(); f != nil {
		report.Failure = *f
	}
	report.Lost = r.told.losses()
	report.Trends = Trends(report.Samples)
	return report, nil
}

// settle waits until the relay has come to rest, or has had its time for it, and
// samples it. What the runtime told before does not count.
func (r *soaking) settle(ctx context.Context, is func(Sample) bool) (Sample, error) {
	const look = 100 * time.Millisecond
	asked := time.Now()
	for {
		whole, _ := r.told.last()
		fresh, waited := r.started.Add(whole.at).After(asked), time.Since(asked)
		s := r.sample()
		switch {
		case fresh && (is(s) || waited >= rest):
			return s, nil
		case waited >= rest+patience:
			return s, fmt.Errorf("the relay has not told of its goroutines for %v", waited.Round(time.Second))
		}
		if err := pause(ctx, look); err != nil {
			return s, err
		}
	}
}

func (r *soaking) sample() Sample {
	f := groupFootprint(r.relay.pid())
	whole, heap := r.told.last()
	return Sample{
		At: time.Since(r.began), Memory: f.memory, Heap: heap, Descriptors: f.descriptors, Goroutines: whole.goroutines,
		Open: r.open.Load(), Ended: r.ended.Load(), Failed: r.failed.Load(),
	}
}

// longest is how long a stream is silent at most.
const longest = 2 * time.Second

// worker opens one stream after the other.
func (r *soaking) worker(ctx context.Context, draws *rand.Rand) {
	// They do not all begin at once, but in the first second or so.
	if pause(ctx, time.Duration(draws.Int64N(int64(longest/2)))) != nil {
		return
	}
	for !over(ctx) {
		err := r.stream(ctx, draws, longest)
		if over(ctx) {
			return // what ended it was perhaps the end of all
		}
		r.ended.Add(1)
		if err != nil {
			r.failed.Add(1)
			r.failure.Store(new(err.Error()))
		}
	}
}

// over says whether ctx has ended, or should have: a dial takes its deadline from
// ctx and gives up on time, while on a busy machine the timer that ends ctx comes
// seconds later. Meanwhile every dial would fail at once.
func over(ctx context.Context) bool {
	end, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(end)
}

// stream lives through one stream, in one of the ways in which they live.
func (r *soaking) stream(ctx context.Context, draws *rand.Rand, silence time.Duration) error {
	r.open.Add(1)
	defer r.open.Add(-1)
	way, size := draws.IntN(10), 1<<(14+draws.IntN(7))
	silence = time.Duration(float64(silence) * draws.Float64())
	switch {
	case way == 0:
		return r.leave(ctx)
	case way < 3:
		return r.carry(ctx, Source, size, abort)
	case way < 5:
		return r.carry(ctx, Sink, size, func(c *net.TCPConn) { _ = c.Close() })
	}
	c, err := r.client.open(ctx, Echo)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := ping(c); err != nil {
		return err
	}
	if pause(ctx, silence) != nil {
		return nil
	}
	return ping(c)
}

// leave is a client that goes away in the middle of its greeting.
func (r *soaking) leave(ctx context.Context) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", r.client.via.String())
	if err != nil {
		return err
	}
	_, err = c.Write(greeting[:1])
	return errors.Join(err, c.Close())
}

// carry moves some bytes in one direction and ends.
func (r *soaking) carry(ctx context.Context, service Service, size int, end func(*net.TCPConn)) error {
	c, err := r.client.open(ctx, service)
	if err != nil {
		return err
	}
	defer end(c)
	_ = c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 16<<10)
	step := c.Read
	if service == Sink {
		step = c.Write
	}
	for size > 0 {
		n, err := step(b[:min(size, len(b))])
		if err != nil {
			return err
		}
		size -= n
	}
	return nil
}
