package lab

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

// Report is what happened in a run, by the world's ledger and the clients' own
// experience. What the pools believed has no part in it.
type Report struct {
	Title string
	// Length is how much of the run was played, Interrupted whether that is not
	// all of it.
	Length      time.Duration
	Interrupted bool
	// Requests is how many ended. Failed are those that were not granted, or
	// whose first byte did not come, within their patience, while some endpoint
	// that their relay knew of was under no rule at their ISP. Excused are those
	// for whom there was none, Down those whose own network was down meanwhile.
	Requests, Failed, Excused, Down int
	// Failures describes the first of the failed.
	Failures []string
	// Streams is how many answers began to flow, long ones and short, Cut how
	// many of them did not come to their end.
	Streams, Cut int
	// Gap is the longest time for which requests waited at an ISP and none of
	// them was answered, GapISP is where and GapEnd the scenario's date at its
	// end. Slowest is the longest wait of an answered request.
	Gap, Slowest time.Duration
	GapISP       string
	GapEnd       time.Time
	// Layout is how GapEnd is shown, as in a State.
	Layout string
	// Launched is how many endpoints there were in all. Discovered, ByPrefix and
	// BornBlocked are those that came under a rule anywhere, by the first cause.
	Launched, Discovered, ByPrefix, BornBlocked int
	// Lost is how many endpoints came under a rule while the relay at ISP, the
	// first one, used them.
	Lost int
	ISP  string
	// Spent is what the endpoints have cost, in US dollars.
	Spent float64
	// Peak is the most addresses that were under a rule at a time.
	Peak uint64
	// Collateral is who was hit, Tenants how many there were to hit.
	Collateral []Collateral
	Tenants    int
	// Directs is how often something was dialled past the endpoints.
	Directs int
}

// OK reports whether no request failed while an endpoint was reachable.
func (r Report) OK() bool { return r.Failed == 0 }

// report takes stock.
func (r *run) report(interrupted bool) Report {
	out := Report{
		Title: r.scenario.Title, Layout: layoutOf(r.scenario.Lasts), Length: min(time.Since(r.began), r.length), Interrupted: interrupted,
		Launched: r.grown, Lost: r.in, ISP: r.vantages[0].plan.Name,
	}
	for _, v := range r.vantages {
		s := v.tally.total()
		out.Requests += s.requests
		out.Failed += s.failed
		out.Excused += s.excused
		out.Down += s.down
		out.Failures = append(out.Failures, s.failures...)
		out.Streams += s.streams
		out.Cut += s.cut
		if s.gap > out.Gap {
			out.Gap, out.GapISP = min(s.gap, out.Length), v.plan.Name
			out.GapEnd = r.stage.Date(s.gapEnd)
		}
		out.Slowest = max(out.Slowest, s.slowest)
	}
	ledger := r.world.Ledger()
	out.Directs, out.Spent = len(ledger.Directs), ledger.Spent
	burnt := make(map[string]bool)
	for _, b := range ledger.Burns {
		name := b.Endpoint.String()
		if burnt[name] {
			continue
		}
		burnt[name] = true
		switch b.Cause {
		case testenv.Discovered:
			out.Discovered++
		case testenv.ByPrefix:
			out.ByPrefix++
		case testenv.BornBlocked:
			out.BornBlocked++
		}
	}
	out.Peak, out.Collateral = r.harm.total()
	out.Tenants = len(r.harm.tenants)
	return out
}

// WriteTo writes the report for people.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-20s%s\n", name, fmt.Sprintf(format, args...))
	}
	how := "in " + seconds(r.Length)
	if r.Interrupted {
		how = "interrupted after " + seconds(r.Length)
	}
	fmt.Fprintf(&b, "%s, %s\n", r.Title, how)
	failed := "none failed"
	if r.Failed > 0 {
		failed = thousands(r.Failed) + " failed while an endpoint was reachable"
	}
	row("requests", "%s, %s", thousands(r.Requests), failed)
	if r.Excused > 0 {
		row("", "%s found no endpoint reachable", thousands(r.Excused))
	}
	if r.Down > 0 {
		row("", "%s found their own network down", thousands(r.Down))
	}
	row("streams", "%s, %s cut", thousands(r.Streams), thousands(r.Cut))
	if r.Gap > 0 {
		row("slowest answer", "%s", seconds(r.Slowest))
		row("worst gap", "%s at %s, until %s", seconds(r.Gap), r.GapISP, r.GapEnd.Format(cmp.Or(r.Layout, dateFormat)))
	}
	row("endpoints burnt", "%d of %d: %d by discovery, %d by prefix, %d born blocked",
		r.Discovered+r.ByPrefix+r.BornBlocked, r.Launched, r.Discovered, r.ByPrefix, r.BornBlocked)
	row("", "%d of them while %s used them", r.Lost, r.ISP)
	if r.Spent > 0 {
		row("", "%.2f USD spent on all", r.Spent)
	}
	row("addresses blocked", "%s at the peak", thousands(r.Peak))
	words := []string{fmt.Sprintf("%d of %d tenants", len(r.Collateral), r.Tenants)}
	for _, c := range r.Collateral {
		words = append(words, c.Name+" "+days(c.Time))
	}
	for i, l := range wrap(words, 56) {
		name := ""
		if i == 0 {
			name = "collateral"
		}
		row(name, "%s", l)
	}
	if r.Directs > 0 {
		row("past the endpoints", "%s", count(r.Directs, "dial"))
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "  failed: %s\n", f)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
