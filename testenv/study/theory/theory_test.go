package theory_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
	"github.com/paperplane-relay/paperplane/testenv/study/stat"
	"github.com/paperplane-relay/paperplane/testenv/study/theory"
)

// TestValues holds the formulas to values that were computed elsewhere.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want float64
		digits    float64
	}{
		{"all of 100, one at a time", theory.RequestsToFindAll(100, 1), 518.738, 3},
		{"all of 100, three at a time", theory.RequestsToFindAll(100, 3), 171.505, 3},
		{"all of 60, five at a time", theory.RequestsToFindAll(60, 5), 54.654, 3},
		{"all at once", theory.RequestsToFindAll(7, 7), 1, 9},
		// 10,000 times the harmonic number of it.
		{"all of 10,000", theory.RequestsToFindAll(10_000, 1), 97876.06036, 5},
		{"discovered", theory.Discovered(100, 3, 20), 45.62, 2},
		{"unburnt", theory.Unburnt(.05, 40), .1285, 4},
		{"reached", theory.Reached(.05, 40), 17.43, 2},
		{"reached without agents", theory.Reached(0, 40), 40, 9},
		{"cut off", theory.CutOff(100, 40, 3), .0611, 4},
		{"cut off from more than are blocked", theory.CutOff(100, 2, 3), 0, 9},
		{"planned, constant", theory.PlannedConstant(3, 10), .3, 9},
		{"planned, in time", theory.PlannedConstant(30, 10), 1, 9},
		{"planned, exponential", theory.PlannedExponential(1./6, 10), .4867, 4},
		{"planned, never found", theory.PlannedExponential(0, 10), 1, 9},
		{"reactive", theory.Reactive(1./6, 2), .75, 9},
		{"subnets", theory.SubnetsHit(256, 100), 82.91, 2},
		{"population", theory.Population(200, .25), 800, 9},
		{"lifetime", theory.Lifetime(.1, .2, .7), 1, 9},
		{"compromised", float64(theory.Compromised(1024, 4)), 36, 9},
		{"compromised, all", float64(theory.Compromised(4, 4)), 4, 9},
		{"compromised, not a power of two", float64(theory.Compromised(1000, 3)), 30, 9},
		{"polled", theory.EnforcedPolled(6, 24), .25, 9},
		{"lagging", theory.EnforcedLagging(24, 24), 1 - 1/math.E, 9},
	} {
		if math.Abs(c.got-c.want) > .5001*math.Pow(10, -c.digits) {
			t.Errorf("%s: %.6f, want %g", c.name, c.got, c.want)
		}
	}
}

func TestNonsense(t *testing.T) {
	for i, got := range []float64{
		theory.RequestsToFindAll(3, 4), theory.RequestsToFindAll(3, 0), theory.RequestsToFindAll(10_001, 1), theory.Discovered(3, 4, 1),
		theory.Unburnt(1.5, 3), theory.Unburnt(.5, -1), theory.Reached(-.5, 3), theory.CutOff(3, 4, 1), theory.CutOff(3, 1, 4),
		theory.PlannedConstant(-1, 3), theory.PlannedConstant(1, 0), theory.PlannedExponential(1, 0), theory.PlannedExponential(-1, 1),
		theory.Reactive(-1, 1), theory.Reactive(1, math.NaN()), theory.Lifetime(1, -2), theory.Population(1, 0), theory.Population(1, 2),
		theory.SubnetsHit(0, 1), theory.EnforcedPolled(1, 0), theory.EnforcedLagging(-1, 1),
	} {
		if !math.IsNaN(got) {
			t.Errorf("nonsense %d: %g", i, got)
		}
	}
}

// simulate holds a formula against n draws of what it is about: the means differ by no
// more than three standard errors, and the standard error is no more than half a
// percent. The seed is fixed: it was 1 when the test was written, and stays so.
func simulate(t *testing.T, name string, want float64, n int, once func(s *draw.Stream) float64) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		key := draw.For(1, "theory/"+name)
		var sample stat.Sample
		for i := range n {
			s := key.At(uint64(i), 0)
			sample.Add(once(&s))
		}
		if sample.Error() > .005*want {
			t.Errorf("the standard error is %.2g %%", 100*sample.Error()/want)
		}
		if math.Abs(sample.Mean()-want) > 3*sample.Error() {
			t.Errorf("%.5f +- %.5f, want %.5f", sample.Mean(), sample.Error(), want)
		}
	})
}

func TestAgainstSimulation(t *testing.T) {
	for _, c := range []struct{ n, k, runs int }{{100, 1, 4000}, {100, 3, 4000}, {60, 5, 5000}} {
		simulate(t, fmt.Sprintf("requests to find all %d, %d at a time", c.n, c.k), theory.RequestsToFindAll(c.n, c.k), c.runs, func(s *draw.Stream) float64 {
			known, count := make([]bool, c.n), 0
			answer := make([]int, c.k)
			for requests := 1; ; requests++ {
				s.Choose(answer, c.n)
				for _, e := range answer {
					if !known[e] {
						known[e] = true
						count++
					}
				}
				if count == c.n {
					return float64(requests)
				}
			}
		})
	}
	simulate(t, "discovered", theory.Discovered(100, 3, 20), 5000, func(s *draw.Stream) float64 {
		var known [100]bool
		var answer [3]int
		count := 0.
		for range 20 {
			s.Choose(answer[:], 100)
			for _, e := range answer {
				if !known[e] {
					known[e] = true
					count++
				}
			}
		}
		return count
	})
	until := func(s *draw.Stream) (clients int, agent bool) {
		for clients < 40 && !agent {
			clients++
			agent = s.Happens(.05)
		}
		return clients, agent
	}
	simulate(t, "unburnt", theory.Unburnt(.05, 40), 400_000, func(s *draw.Stream) float64 {
		_, agent := until(s)
		return yes(!agent)
	})
	simulate(t, "reached", theory.Reached(.05, 40), 50_000, func(s *draw.Stream) float64 {
		clients, _ := until(s)
		return float64(clients)
	})
	simulate(t, "cut off", theory.CutOff(100, 40, 3), 800_000, func(s *draw.Stream) float64 {
		var held [3]int // the blocked ones are the first 40
		s.Choose(held[:], 100)
		return yes(max(held[0], held[1], held[2]) < 40)
	})
	// Endpoints that are replaced, for 200 periods; in each the blocker begins anew.
	planned := func(delay func(s *draw.Stream) float64) func(s *draw.Stream) float64 {
		return func(s *draw.Stream) float64 {
			var up float64
			for range 200 {
				up += min(delay(s), 10)
			}
			return up / (200 * 10)
		}
	}
	simulate(t, "planned, exponential", theory.PlannedExponential(1./6, 10), 2000, planned(func(s *draw.Stream) float64 { return 6 * s.Exponential() }))
	simulate(t, "reactive", theory.Reactive(1./6, 2), 2000, func(s *draw.Stream) float64 {
		// For a time of 2,000, which begins at a moment like any other.
		var up, now float64
		if s.Happens(.25) {
			now = 2 * s.Unit()
		}
		for now < 2000 {
			life := 6 * s.Exponential()
			up += min(life, 2000-now)
			now += life + 2
		}
		return up / 2000
	})
	simulate(t, "subnets", theory.SubnetsHit(256, 100), 5000, func(s *draw.Stream) float64 {
		var hit [256]bool
		count := 0.
		for range 100 {
			if i := s.Below(256); !hit[i] {
				hit[i] = true
				count++
			}
		}
		return count
	})
	simulate(t, "population", theory.Population(200, .25), 1000, func(s *draw.Stream) float64 {
		present := 0
		for range 60 { // a share of 3e-8 of the first is still there then
			present -= s.Binomial(present, .25)
			present += s.Poisson(200)
		}
		return float64(present)
	})
	simulate(t, "lifetime", theory.Lifetime(.1, .2, .5), 60_000, func(s *draw.Stream) float64 {
		life := 10 * s.Exponential()
		for _, rate := range []float64{.2, .5} {
			life = min(life, s.Exponential()/rate)
		}
		return life
	})
	simulate(t, "polled", theory.EnforcedPolled(6, 24), 150_000, func(s *draw.Stream) float64 { return yes(24*s.Unit() <= 6) })
	simulate(t, "lagging", theory.EnforcedLagging(6, 24), 180_000, func(s *draw.Stream) float64 { return yes(24*s.Exponential() <= 6) })
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// TestConstantDelay needs no luck: it is the time in which an endpoint is up, of all.
func TestConstantDelay(t *testing.T) {
	up := 0
	for tick := range 100_000 {
		if tick%1000 < 300 { // replaced every 10.00, found after 3.00
			up++
		}
	}
	if got := float64(up) / 100_000; got != theory.PlannedConstant(3, 10) {
		t.Errorf("%g", got)
	}
}

// TestBisection plays groups that are split when they are found out: adversaries
// anywhere among the users never compromise more keys than the bound.
func TestBisection(t *testing.T) {
	key := draw.For(1, "theory/bisection")
	most := 0
	for i := range uint64(3000) {
		s := key.At(i, 0)
		n := 1 + s.Below(1024)
		k := 1 + s.Below(min(n, 8))
		adversaries := make([]int, k)
		s.Choose(adversaries, n)
		// The users are 0..n-1, in groups of up to n/k rounded up.
		compromised := 0
		var split func(from, to int)
		split = func(from, to int) {
			found := false
			for _, a := range adversaries {
				found = found || a >= from && a < to
			}
			if !found {
				return
			}
			compromised++
			if to-from > 1 {
				mid := (from + to) / 2
				split(from, mid)
				split(mid, to)
			}
		}
		size := (n + k - 1) / k
		for from := 0; from < n; from += size {
			split(from, min(from+size, n))
		}
		bound := theory.Compromised(n, k)
		if compromised > bound {
			t.Fatalf("%d adversaries among %d compromised %d keys, more than %d", k, n, compromised, bound)
		}
		if compromised == bound {
			most++
		}
	}
	if most == 0 {
		t.Error("the bound is never reached: it is too high, or the game is not the one that it is about")
	}
}
