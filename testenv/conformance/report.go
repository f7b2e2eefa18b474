package conformance

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Report is what came of it all on both backends. What a kernel has not done is
// nil.
type Report struct {
	Cases  []Played
	Errors []PlayedErrors
	Flows  []PlayedFlow
	Losses []PlayedLosses
}

// Played is a case that was played.
type Played struct {
	Case           Case
	Memory, Kernel *Outcome
}

// PlayedErrors is a sequence of calls that was made.
type PlayedErrors struct {
	Case           ErrorCase
	Memory, Kernel []string
}

// PlayedFlow is what the transport told.
type PlayedFlow struct {
	Case           FlowCase
	Memory, Kernel *Flows
}

// PlayedLosses is what was measured.
type PlayedLosses struct {
	Share          float64
	Memory, Kernel *Losses
}

// WriteText writes the report for people. A difference that the table gives no
// reason for is marked by "!".
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	r.writeCases(b)
	r.writeErrors(b)
	r.writeFlows(b)
	r.writeLosses(b)
	return b.Flush()
}

const caseColumns = "%-20s %-22s %-7s %-34s %-34s %s\n"

func (r *Report) writeCases(w io.Writer) {
	if len(r.Cases) == 0 {
		return
	}
	fmt.Fprintf(w, caseColumns, "trouble", "when", "side", "memory", "kernel", "")
	var reasons []string
	count := make(map[string]int)
	for _, p := range r.Cases {
		grade := p.grade()
		count[grade]++
		if grade == differ {
			n := slices.Index(reasons, p.Case.Because)
			if n < 0 {
				n, reasons = len(reasons), append(reasons, p.Case.Because)
			}
			grade = fmt.Sprintf("%s [%d]", grade, n+1)
		}
		var here, there [2]string
		for i, o := range []*Outcome{p.Memory, p.Kernel} {
			here[i], there[i] = o.sides()
		}
		fmt.Fprintf(w, caseColumns, p.Case.Trouble.Name, p.Case.Moment, "client", here[0], here[1], grade)
		fmt.Fprintf(w, caseColumns, "", "", "server", there[0], there[1], "")
	}
	fmt.Fprintln(w)
	for n, why := range reasons {
		fmt.Fprintf(w, "[%d] %s\n", n+1, why)
	}
	fmt.Fprintf(w, "%d cases: %d agree, %d differ for a reason, %d a kernel does not support, %d differ without one\n\n",
		len(r.Cases), count[agree], count[differ], count[unsupported], count[wrong])
}

// How a case came out.
const (
	agree       = "agree"
	differ      = "differs"
	unsupported = "not supported"
	wrong       = "!"
	alone       = ""
)

func (p *Played) grade() string {
	switch {
	case p.Memory != nil && p.Case.differs(*p.Memory, false) != "", p.Kernel != nil && p.Case.differs(*p.Kernel, true) != "":
		return wrong
	case p.Memory == nil || p.Kernel == nil:
		return alone
	case p.Kernel.Unsupported:
		return unsupported
	case p.Case.Memory != nil:
		return differ
	}
	return agree
}

func (o *Outcome) sides() (client, server string) {
	switch {
	case o == nil:
		return "-", "-"
	case o.Unsupported:
		return "an error that says so", ""
	}
	return o.Client.String(), o.Server.String()
}

const errorColumns = "%-26s %-26s %-14s %-14s %s\n"

func (r *Report) writeErrors(w io.Writer) {
	if len(r.Errors) == 0 {
		return
	}
	fmt.Fprintf(w, errorColumns, "one call after the other", "", "memory", "kernel", "")
	for _, p := range r.Errors {
		for n, step := range p.Case.Steps {
			title := ""
			if n == 0 {
				title = p.Case.Name
			}
			memory, kernel := "-", "-"
			if p.Memory != nil {
				memory = p.Memory[n]
			}
			if p.Kernel != nil {
				kernel = p.Kernel[n]
			}
			if step.Want == "" {
				memory, kernel = "", ""
			}
			mark := ""
			if memory != kernel && p.Memory != nil && p.Kernel != nil {
				mark = wrong
			}
			fmt.Fprintf(w, errorColumns, title, step, memory, kernel, mark)
		}
	}
	fmt.Fprintln(w)
}

const flowColumns = "%-28s %-7s %-7s %9s %9s %9s %8s %8s %7s %9s %9s %s\n"

func (r *Report) writeFlows(w io.Writer) {
	if len(r.Flows) == 0 {
		return
	}
	fmt.Fprintf(w, flowColumns, fmt.Sprintf("told after %s", seconds(look)), "side", "", "sent", "acked", "received", "unacked", "resends", "probes", "last recv", "last ack", "")
	for _, p := range r.Flows {
		title := p.Case.Name
		for _, side := range []string{"client", "server"} {
			for n, f := range []*Flows{p.Memory, p.Kernel} {
				if f == nil {
					continue
				}
				of, want := f.Client, p.Case.Client
				if side == "server" {
					of, want = f.Server, p.Case.Server
				}
				mark := ""
				if want.differs(of) != "" {
					mark = wrong
				}
				writeFlow(w, title, side, [...]string{"memory", "kernel"}[n], of, mark)
				title = ""
			}
		}
	}
	fmt.Fprintln(w)
}

func writeFlow(w io.Writer, title, side, backend string, f policy.Flow, mark string) {
	fmt.Fprintf(w, flowColumns, title, side, backend, size(f.Sent), size(f.Acked), size(f.Received),
		fmt.Sprint(f.Unacked), fmt.Sprint(f.Retransmits), fmt.Sprint(f.Probes), seconds(f.LastRecv), seconds(f.LastAck), mark)
}

func (r *Report) writeLosses(w io.Writer) {
	if len(r.Losses) == 0 {
		return
	}
	const columns = "%-28s %-7s %16s %9s %9s %9s %9s %12s\n"
	fmt.Fprintf(w, columns, "64 KiB under loss, no delay", "", "held by a timer", "mean", "p50", "p90", "p99", "download")
	for _, p := range r.Losses {
		for n, l := range []*Losses{p.Memory, p.Kernel} {
			if l == nil {
				continue
			}
			rate := fmt.Sprintf("%.1f MB/s", l.Rate/1e6)
			if l.Rate > 1e11 {
				rate = "no limit"
			}
			fmt.Fprintf(w, columns, fmt.Sprintf("%g %% each way", 100*l.Share), [...]string{"memory", "kernel"}[n],
				fmt.Sprintf("%.1f %%", 100*l.Held()), milliseconds(l.Mean()), milliseconds(l.Quantile(.5)),
				milliseconds(l.Quantile(.9)), milliseconds(l.Quantile(.99)), rate)
		}
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
}
