package probe

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// A flow that is policed to a few kilobits a second is silent for seconds at a
// time, as its sender waits longer and longer before it tries again; one that is
// frozen is silent for good. They are told apart by what the flow did before, by
// its siblings, and by whether the path itself still answers.
const (
	// calmDown and calmUp are the least silence of a flow under way that makes it
	// stalled. The sender's third retransmission, 7 times 200 ms and its round
	// trips after the loss, brings a packet through a policer of 16 kbit/s. In a
	// download it is the far kernel's, which the answered keep-alive probes give
	// time to; in an upload nothing else is sent.
	calmDown = 1500 * time.Millisecond
	calmUp   = 2 * time.Second
	// calmMost is the longest silence that is waited for, whatever speaks for the
	// flow: a verdict shall be there within 5 s, at round trips of up to 300 ms.
	calmMost = 3500 * time.Millisecond
	// settled is how many bytes a flow has to bring before its gaps tell of its
	// pace: until then they are the destination's.
	settled = 4 << 10
	// burst is how many bytes a policer lets pass at once, about: what came first
	// tells of its bucket, and what came after of its rate. That is taken into account
	// once it has lasted for burstAfter, or four round trips.
	burst      = 16 << 10
	burstAfter = time.Second
	// slowAfter, or ten round trips if they are more, is how long a flow may take
	// to show its pace.
	slowAfter = 2500 * time.Millisecond
	// Several at once that all fall short twice as far as it takes need no more than
	// slowSoon, or six round trips.
	slowSoon = 1500 * time.Millisecond
	// slowBelow is the share of what a path allows below which a flow is slowed.
	slowBelow = 0.25
	// tick is how often a flow is looked at, at least.
	tick = 100 * time.Millisecond
	// probeEvery is the keep-alive of a download: the least that a kernel takes.
	probeEvery = time.Second
)

var (
	// errSlowed means that a flow was ended for being slow.
	errSlowed = errors.New("slower than a quarter of what the path allows")
	// errQuiet means that a flow was ended for silence.
	errQuiet = fmt.Errorf("nothing came: %w", os.ErrDeadlineExceeded)
)

// route is what is known of the way of a flow.
type route struct {
	rtt time.Duration
	// loss is the share of handshakes that fail there while all is well, 0 to 1;
	// zero is unknown, or none.
	loss float64
}

// allows is how many bytes a second a transfer of so many bytes would come to, if
// nobody interfered. A handshake is lost with either of its two segments, data with
// its own.
func (r route) allows(size int64) float64 { return policy.Allowed(size, r.rtt, r.segments()) }

// segments is the share of those that are lost.
func (r route) segments() float64 { return 1 - math.Sqrt(1-min(max(r.loss, 0), 1)) }

const (
	// byChance is how probable it may be that a loss is followed by so many that the
	// flow looks stalled.
	byChance = 0.01
	rtoMin   = 200 * time.Millisecond // Linux
	// mishapsMost is enough, whatever the loss.
	mishapsMost = 8 * time.Second
)

// mishaps is for how long a flow is silent if as many retransmissions in a row are
// lost as may well be by chance. Each comes after twice the time of the one before
// (RFC 6298), and is lost with either of its two segments, as a handshake is. It
// matters where a tenth of the packets are lost, or more.
func (r route) mishaps() time.Duration {
	if r.loss <= 0 {
		return 0
	}
	n := math.Ceil(math.Log(byChance) / math.Log(min(r.loss, 0.9)))
	return min(time.Duration((math.Exp2(n)-1)*float64(rtoMin+r.rtt)), mishapsMost)
}

// pace watches one flow. It is used by one goroutine.
type pace struct {
	route
	least int64         // bytes of the shortest sibling
	first time.Duration // the longest silence before anything has moved
	calm  time.Duration // and the shortest after that
	began time.Time
	last  time.Time     // when something last moved
	bytes int64         // that have
	ahead int64         // and those that may have, as it was not acknowledged yet
	gap   time.Duration // the longest between two movements, once settled
	// beyond is when, and at how many bytes, the first burst was over.
	beyond struct {
		at    time.Time
		bytes int64
	}
	total *atomic.Int64 // those of all flows of the examination
	// alive is whether, during the present silence, the path has answered.
	alive bool
	with  *siblings
	which int
}

// moved notes that n bytes more have, and reports errSlowed if the flow is to be
// ended for its slowness. It is asked only as it moves: what has stopped is not
// slow.
func (f *pace) moved(n int64, now time.Time) error {
	if f.bytes >= settled {
		f.gap = max(f.gap, now.Sub(f.last))
	}
	f.bytes += n
	f.total.Add(n)
	f.last, f.alive = now, false
	if f.beyond.at.IsZero() && f.bytes >= burst {
		f.beyond.at, f.beyond.bytes = now, f.bytes
	}
	took := now.Sub(f.began)
	var slow bool
	switch {
	case took >= max(slowAfter, 10*f.rtt):
		slow = f.slow(slowBelow)
	case took >= max(slowSoon, 6*f.rtt) && f.with != nil:
		slow = f.slow(slowBelow / 2)
	default:
		return nil
	}
	if f.with.slow(f.which, slow) {
		return errSlowed
	}
	return nil
}

// slow says whether it goes at less than a share of what it might. Of what was ended early its bytes
// say only how far it came, and all siblings are measured by the rate of the
// shortest. What comes after the first burst is measured by what the path allows
// then, when a sender is past its slow start.
func (f *pace) slow(share float64) bool {
	size := max(f.bytes, f.least)
	rate, after := f.rate()
	allowed := f.allows(size)
	if after > 0 {
		allowed = max(allowed, policy.AllowedAfter(after, size, f.rtt, f.segments()))
	}
	return rate < share*allowed
}

// quiet is how long nothing may move. A flow of which a sibling has come through, or
// whose path goes on answering, is given as much again for each: it is more
// likely to go on.
func (f *pace) quiet(now time.Time, c net.Conn) time.Duration {
	through := f.with.through(f.which, max(f.bytes, f.ahead))
	if f.bytes == 0 {
		if through {
			return 2 * f.first
		}
		return f.first
	}
	base := max(f.calm, 4*f.rtt, f.mishaps())
	share := time.Duration(1)
	if through {
		share++
	}
	silent := now.Sub(f.last)
	if flow, ok := upstream.ReadFlow(c); ok && silent >= base && flow.LastAck < silent-f.rtt {
		f.alive = true
	}
	if f.alive {
		share++
	}
	return max(base, min(max(share*base, 4*f.gap), calmMost))
}

// check reports errQuiet if nothing has moved for too long, or else how long to
// wait before it is to be asked again.
func (f *pace) check(now time.Time, c net.Conn) (time.Duration, error) {
	silent := now.Sub(f.last)
	limit := f.quiet(now, c)
	if silent >= limit {
		return 0, errQuiet
	}
	return max(min(tick, limit-silent), time.Millisecond), nil
}

// passed is what has come of the flow when it ended with err.
func (f *pace) passed(err error) passed {
	p := passed{err: err, alive: f.alive}
	p.Bytes, p.Outcome = f.bytes, f.outcome(err)
	p.Rate, p.After = f.rate()
	p.slow = f.slow(slowBelow)
	if p.Outcome == policy.Stalled || p.Outcome == policy.Slowed {
		p.err = fmt.Errorf("%s after %d bytes: %w", p.Outcome, p.Bytes, err)
	}
	return p
}

// rate is how fast it went so far, in bytes a second; or how fast since the first
// burst, after so many bytes, if that is less and has lasted for long enough. Nothing
// but policing, or a change, makes a flow slower as it goes on.
func (f *pace) rate() (rate float64, after int64) {
	if f.bytes == 0 {
		return 0, 0
	}
	rate = float64(f.bytes) / max(f.last.Sub(f.began), time.Microsecond).Seconds()
	if took := f.last.Sub(f.beyond.at); !f.beyond.at.IsZero() && took >= max(burstAfter, 4*f.rtt) {
		if beyond := float64(f.bytes-f.beyond.bytes) / took.Seconds(); beyond < rate {
			return beyond, f.beyond.bytes
		}
	}
	return rate, 0
}

// outcome is what an end of the flow, by err, shows. At the end of the
// examination's time, what has moved of late is slow.
func (f *pace) outcome(err error) policy.Outcome {
	switch o := upstream.Classify(err); {
	case errors.Is(err, errSlowed):
		return policy.Slowed
	case o != policy.Silent || f.bytes == 0:
		return o
	case time.Since(f.last) < max(f.calm, 4*f.rtt, f.mishaps()):
		return policy.Slowed
	}
	return policy.Stalled
}

// calm is how long a flow under way may be silent, in proportion to the Prober's
// Silence.
func (p *Prober) calm(usual time.Duration) time.Duration {
	return time.Duration(float64(usual) * float64(p.floor()) / float64(DefaultSilence))
}
