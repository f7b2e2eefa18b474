package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// neighbours is a group of 16 active endpoints, 0 to 7 of one prefix and 8 to 15
// of another, each in a /24 of its own, and 8 of either in reserve. It is a minute
// old, and has no clients.
func neighbours(t *testing.T) *driver {
	t.Helper()
	d := newDriver(t, 0, policy.Limits{Active: 16}, 1)
	for i := range 32 {
		d.add(around(i))
		if i == 15 {
			d.advance()
		}
	}
	d.run(time.Minute)
	if got := d.in(policy.Active); !slices.Equal(got, d.everyone()[:16]) {
		t.Fatalf("active: %v", got)
	}
	return d
}

// around is endpoint i of neighbours.
func around(i int) policy.Spec {
	addr := netip.AddrFrom4([4]byte{[]byte{52, 34}[i/8%2], []byte{58, 90}[i/8%2], byte(i), 1})
	return policy.Spec{Host: addr.String(), Port: 1080, Addr: addr, Provider: []string{"aws", "gcp"}[i/8%2]}
}

// block drops what is sent to endpoints; others still reach them.
func (d *driver) block(endpoints ...int) {
	d.set(silent, endpoints...)
	for _, i := range endpoints {
		d.outside[i] = policy.Answered
	}
}

// halt stops the machines of endpoints.
func (d *driver) halt(endpoints ...int) {
	d.set(silent, endpoints...)
	for _, i := range endpoints {
		d.outside[i] = policy.Silent
	}
}

// lose has endpoint i doubted, and waits for the verdict.
func (d *driver) lose(i int, v policy.Verdict) (at time.Duration) {
	d.Helper()
	at = d.since()
	d.see(i, policy.Connect, policy.Silent)
	for d.group.Record(i).State != policy.Dead {
		if d.run(10 * time.Millisecond); d.since() > at+10*time.Second {
			d.Fatalf("endpoint %d is not dead:\n%s", i, d.story(at))
		}
	}
	if got := d.group.Record(i).Verdict; got != v {
		d.Fatalf("endpoint %d: want %s, got %s", i, v, got)
	}
	return d.since()
}

// samples are the endpoints that were examined with doubt since a time, though
// nothing spoke against them, by endpoint.
func (d *driver) samples(since time.Duration) map[int]int {
	count := make(map[int]int)
	for _, e := range d.entries(policy.Examine, since) {
		if e.Doubtful && len(e.Views) > 0 {
			count[e.Endpoint]++
		}
	}
	return count
}

func (d *driver) suspected() (is []int) {
	for i := range d.group.Len() {
		if d.group.Suspected(i, d.now) {
			is = append(is, i)
		}
	}
	return is
}

// One address is blocked by itself: one neighbour is examined, shows that it is
// well, and nobody else is asked.
func TestOneSampleIsEnough(t *testing.T) {
	d := neighbours(t)
	d.block(3)
	at := d.lose(3, policy.Blocked)
	d.run(20 * time.Second)
	got := d.samples(at)
	if delete(got, 3); len(got) != 1 {
		t.Errorf("want one sample, got %v\n%s", got, d.story(at))
	}
	if got := d.suspected(); len(got) > 0 {
		t.Errorf("suspected: %v", got)
	}
	if n := len(d.in(policy.Dead)); n != 1 {
		t.Errorf("%d are dead", n)
	}
}

// A whole prefix is blocked while nobody uses it: the first loss has one more
// examined, whose loss has all of them examined.
func TestSampleThenAll(t *testing.T) {
	d := neighbours(t)
	d.block(0, 1, 2, 3, 4, 5, 6, 7)
	at := d.lose(3, policy.Blocked)
	for len(d.in(policy.Dead)) < 2 {
		if d.run(10 * time.Millisecond); d.since() > at+10*time.Second {
			d.Fatalf("no second verdict:\n%s", d.story(at))
		}
	}
	second := d.since()
	early := make(map[int]bool)
	for _, e := range d.entries(policy.Examine, at) {
		if e.at < second-10*time.Millisecond && e.Endpoint < 8 {
			early[e.Endpoint] = true
		}
	}
	if len(early) != 1 {
		t.Errorf("want one examined before the second verdict, got %v\n%s", early, d.story(at))
	}
	if got := d.suspected(); len(got) != 16 || slices.Contains(got, 8) {
		t.Errorf("after two verdicts the prefix is suspected, and nobody else: %v", got)
	}
	d.run(10 * time.Second)
	for i := range 8 {
		d.within(fmt.Sprintf("verdict on %d", i), d.reached(i, policy.Dead, 0).at-at, -5*time.Second, 6*time.Second)
	}
	for _, i := range d.in(policy.Dead) {
		if i >= 8 {
			t.Errorf("endpoint %d is dead", i)
		}
	}
}

// What has evidence of its own is examined at once, sample or not.
func TestOwnEvidenceWaitsForNoSample(t *testing.T) {
	d := neighbours(t)
	d.traffic(200 * time.Millisecond)
	d.run(10 * time.Second)
	at := d.since()
	d.block(0, 1, 2, 3, 4, 5, 6, 7)
	d.run(5 * time.Second)
	for i := range 8 {
		d.within(fmt.Sprintf("verdict on %d", i), d.reached(i, policy.Dead, at).at-at, 0, 3*time.Second)
	}
}

// Two machines that are down say nothing of their neighbours.
func TestDownSaysNothing(t *testing.T) {
	d := neighbours(t)
	d.halt(2, 5)
	at := d.lose(2, policy.Down)
	d.lose(5, policy.Down)
	if got := d.suspected(); len(got) > 0 {
		t.Errorf("suspected: %v", got)
	}
	d.run(30 * time.Second)
	if got := d.samples(at); len(got) > 2 {
		t.Errorf("samples: %v", got)
	}
	if n := len(d.in(policy.Dead)); n != 2 {
		t.Errorf("%d are dead", n)
	}
}

// Two are blocked by themselves, while their neighbours have clients: those show
// that they are well, and are suspected no longer than that takes.
func TestTrafficShowsWhoIsWell(t *testing.T) {
	d := neighbours(t)
	d.traffic(200 * time.Millisecond)
	d.block(3, 4)
	d.run(8 * time.Second)
	if n := len(d.in(policy.Dead)); n != 2 {
		t.Fatalf("%d are dead\n%s", n, d.story(0))
	}
	for range 200 {
		d.run(time.Minute)
		for _, i := range d.suspected() {
			if d.group.Record(i).State == policy.Active {
				t.Fatalf("%s: endpoint %d is well, and suspected", d.since(), i)
			}
		}
	}
}

// A replacement never comes out of a prefix that is burning while there is
// another, and comes from there when there is none.
func TestNoReplacementFromWhatBurns(t *testing.T) {
	d := neighbours(t)
	d.block(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
	at := d.lose(3, policy.Blocked)
	d.run(20 * time.Second)
	var heirs []int
	for _, e := range d.entries(policy.Transition, at-time.Second) {
		if e.From == policy.Reserve && e.To == policy.Active {
			heirs = append(heirs, e.Endpoint)
		}
	}
	if slices.Sort(heirs); !slices.Equal(heirs, []int{24, 25, 26, 27, 28, 29, 30, 31}) {
		t.Errorf("want all of the other prefix, got %v\n%s", heirs, d.story(at))
	}
	d.group.Retire(31, d.now)
	d.advance()
	last := -1
	for _, i := range d.group.Slots() {
		if i >= 16 && i < 24 {
			last = i
		}
	}
	if last < 0 {
		t.Errorf("nobody else is left, and the slot stays free")
	}
}

// What is unblocked is believed in again as soon as it is back.
func TestUnblockedIsNotSuspected(t *testing.T) {
	d := neighbours(t)
	d.traffic(time.Second)
	d.block(0, 1, 2, 3, 4, 5, 6, 7)
	d.run(time.Minute)
	if got := d.suspected(); len(got) != 16 {
		t.Fatalf("suspected: %v", got)
	}
	d.set(alive, 0, 1, 2, 3, 4, 5, 6, 7)
	d.run(20 * time.Minute)
	if got := d.suspected(); len(got) > 0 {
		t.Errorf("suspected: %v\n%s", got, d.story(time.Minute))
	}
}

// Canaries come out of a burning prefix last, even though fewer of its provider
// are silent.
func TestNoCanaryFromWhatBurns(t *testing.T) {
	d := neighbours(t)
	d.block(0, 1, 2, 3, 4, 5, 6, 7)
	d.traffic(200 * time.Millisecond)
	d.run(3 * time.Second)
	if got := d.in(policy.Dead); len(got) != 8 {
		t.Fatalf("dead: %v", got)
	}
	for i := range 4 { // whoever stays in reserve, there must be some of either prefix
		d.add(around(32 + i))
		d.add(around(40 + i))
	}
	d.advance()
	at := d.since()
	clear(d.outside)
	d.set(silent, d.everyone()...)
	d.run(20 * time.Second)
	canaries := d.entries(policy.Canary, at)
	if len(canaries) < 3 {
		t.Fatalf("%d canaries", len(canaries))
	}
	for _, c := range canaries {
		if d.group.Suspected(c.Endpoint, d.now) {
			t.Errorf("%s: canary %d is of the burning prefix", c.at, c.Endpoint)
		}
	}
}
