package compat

import (
	"math"

	"github.com/paperplane-relay/paperplane/testenv/study"
	"github.com/paperplane-relay/paperplane/testenv/study/stat"
)

// head is a count of people: all of them, and the honest ones.
type head struct{ all, honest int }

func (h *head) add(agent bool, n int) {
	h.all += n
	if !agent {
		h.honest += n
	}
}

// log is what is written down of a run.
type log struct {
	published, honest, available study.Values // by step

	users, served head // added up over the steps

	blockedAges ages           // of blocked proxies, since their creation, as published
	disclosed   stat.Lifetimes // of all disclosed ones, since their disclosure
	waits       ages           // of all users, as published
	honestWaits ages
	blocked     int // proxies
}

func newLog(steps int) *log {
	return &log{
		published: make(study.Values, 0, steps), honest: make(study.Values, 0, steps), available: make(study.Values, 0, steps),
	}
}

// step writes down a step: how many users are present and have a proxy that works, and
// how many of the proxies that are present are blocked.
func (l *log) step(present, served head, proxies, blocked int) {
	l.published = append(l.published, share(served.all, present.all))
	l.honest = append(l.honest, share(served.honest, present.honest))
	l.available = append(l.available, share(proxies-blocked, proxies))
	l.users.all += present.all
	l.users.honest += present.honest
	l.served.all += served.all
	l.served.honest += served.honest
}

// waited writes down that a user got a proxy after so many steps.
func (l *log) waited(agent bool, steps int32) {
	l.waits.add(int(steps))
	if !agent {
		l.honestWaits.add(int(steps))
	}
}

// burnt writes down that a proxy was blocked, so long after it was created and after it
// was disclosed.
func (l *log) burnt(age, since int32) {
	l.blocked++
	l.blockedAges.add(int(age))
	l.disclosed.End(int(since))
}

// share is of no use where there is nobody.
func share(n, of int) float64 {
	if of == 0 {
		return math.NaN()
	}
	return float64(n) / float64(of)
}

// ages are whole numbers, of which the counts are kept.
type ages struct {
	counts []int
	n, sum int
}

func (a *ages) add(age int) {
	for len(a.counts) <= age {
		a.counts = append(a.counts, 0)
	}
	a.counts[age]++
	a.n++
	a.sum += age
}

// upTo is the share of those that are no higher.
func (a *ages) upTo(age int) float64 {
	n := 0
	for _, c := range a.counts[:min(age+1, len(a.counts))] {
		n += c
	}
	return share(n, a.n)
}

func (a *ages) mean() float64 { return share(a.sum, a.n) }

// median is the middle one, or the mean of the two in the middle.
func (a *ages) median() float64 {
	if a.n == 0 {
		return math.NaN()
	}
	return float64(a.rank((a.n-1)/2)+a.rank(a.n/2)) / 2
}

// rank is the one that n are below, in order.
func (a *ages) rank(n int) int {
	for age, c := range a.counts {
		if n -= c; n < 0 {
			return age
		}
	}
	return len(a.counts)
}

// The measures that this world takes beside the standard ones.
var measures = []study.Measure{
	{Name: "connectivity_true_step_mean", About: "mean over the steps of the share of honest users who have a proxy that works; beside connectivity_published, the agents' part in it"},
	{Name: "connectivity_published_last", About: "connectivity_published of the last step alone"},
	{Name: "unserved_last", About: "share of the honest users present at the last step who wait for a proxy"},
	{Name: "lifetime_mean_published", About: "mean time from a proxy's creation to its block, of those that were blocked"},
	{Name: "lifetime_median_published", About: "median of the same"},
	{Name: "lifetime_ones_published", About: "share of the same that are a single step"},
	{Name: "wait_mean_published", About: "mean wait that ended, agents included; none is shorter than a step"},
	{Name: "wait_ones_published", About: "share of the same that are a single step"},
	{Name: "burnt", About: "proxies that were blocked"},
}

// series are what it takes at each step.
var series = []study.Measure{
	{Name: "connectivity_true", About: "share of the honest users present who have a proxy that works", Label: "honest users"},
	{Name: "connectivity_published", About: "the same of all users, agents included", Label: "all users"},
	{Name: "availability", About: "share of the proxies present that are not blocked", Label: "proxies"},
}

// result is the log in figures.
func (l *log) result(seed uint64) study.Result {
	r := study.Result{Seed: seed, Values: make(map[string]float64), Series: map[string]study.Values{
		"connectivity_true": l.honest, "connectivity_published": l.published, "availability": l.available,
	}}
	median := math.NaN()
	if m, ok := l.disclosed.Median(); ok {
		median = float64(m)
	}
	for name, v := range map[string]float64{
		"connectivity_true":           share(l.served.honest, l.users.honest),
		"connectivity_published":      mean(l.published),
		"availability_mean":           mean(l.available),
		"lifetime_median":             median,
		"wait_mean":                   l.honestWaits.mean(),
		"addresses_listed_peak":       float64(l.blocked), // no block is ever lifted
		"connectivity_true_step_mean": mean(l.honest),
		"connectivity_published_last": l.published[len(l.published)-1],
		"unserved_last":               1 - l.honest[len(l.honest)-1],
		"lifetime_mean_published":     l.blockedAges.mean(),
		"lifetime_median_published":   l.blockedAges.median(),
		"lifetime_ones_published":     l.blockedAges.upTo(1),
		"wait_mean_published":         l.waits.mean(),
		"wait_ones_published":         l.waits.upTo(1),
		"burnt":                       float64(l.blocked),
	} {
		if !math.IsNaN(v) {
			r.Values[name] = v
		}
	}
	return r
}

func mean(values []float64) float64 {
	var s stat.Sample
	for _, v := range values {
		s.Add(v)
	}
	return s.Mean()
}
