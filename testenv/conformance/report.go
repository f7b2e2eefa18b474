package conformance

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
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
	Case           LossCase
	Memory, Kernel Losses
}

// WriteText writes the report for people. A difference that the table gives no
// reason for is marked by "!".
func (r *Report) WriteText(w io.Writer) error {
	var text strings.Builder
	r.writeCases(&text)
	r.writeErrors(&text)
	r.writeFlows(&text)
	r.writeLosses(&text)
	b := bufio.NewWriter(w)
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(b, strings.TrimRight(line, " \n"))
	}
	return b.Flush()
}

const caseColumns = "  %-18s %-7s %-27s %-27s %s\n"

func (r *Report) writeCases(w io.Writer) {
	if len(r.Cases) == 0 {
		return
	}
	fmt.Fprintf(w, caseColumns, "", "", "memory", "kernel", "")
	var (
		notes   notes
		trouble string
	)
	count := make(map[string]int)
	for _, p := range r.Cases {
		grade := p.grade()
		count[grade]++
		if grade == differ {
			grade += " " + notes.mark(p.Case.Because)
		}
		var here, there [2]string
		for i, o := range []*Outcome{p.Memory, p.Kernel} {
			here[i], there[i] = o.sides()
		}
		if name := p.Case.Trouble.Name; name != trouble {
			trouble = name
			fmt.Fprintln(w, trouble)
		}
		fmt.Fprintf(w, caseColumns, p.Case.Moment, "client", here[0], here[1], grade)
		fmt.Fprintf(w, caseColumns, "", "server", there[0], there[1], "")
	}
	fmt.Fprintln(w)
	notes.write(w)
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

const flowColumns = "%-27s %-7s %-7s %9s %9s %9s %8s %8s %7s %9s %9s %s\n"

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

const lossColumns = "%-24s %-7s %16s %9s %9s %9s %9s %s\n"

func (r *Report) writeLosses(w io.Writer) {
	if len(r.Losses) == 0 {
		return
	}
	fmt.Fprintf(w, lossColumns, "each way, for answers of", "", "wait for a timer", "mean", "p50", "p90", "p99", "")
	var notes notes
	for _, p := range r.Losses {
		for n, l := range []Losses{p.Memory, p.Kernel} {
			if l == nil {
				continue
			}
			title, mark := "", ""
			if n == 0 {
				title, mark = p.Case.Name(), notes.mark(p.Case.Because)
			}
			if p.Case.differs(l, n == 1) != "" {
				mark = wrong
			}
			fmt.Fprintf(w, lossColumns, title, [...]string{"memory", "kernel"}[n], fmt.Sprintf("%.1f %%", 100*l.Held()),
				milliseconds(l.Mean()), milliseconds(l.Quantile(.5)), milliseconds(l.Quantile(.9)), milliseconds(l.Quantile(.99)), mark)
		}
	}
	fmt.Fprintln(w)
	notes.write(w)
}

// notes are reasons that are referred to by number.
type notes []string

// mark is the reference to a reason, or empty if there is none.
func (n *notes) mark(why string) string {
	if why == "" {
		return ""
	}
	i := slices.Index(*n, why)
	if i < 0 {
		i, *n = len(*n), append(*n, why)
	}
	return fmt.Sprintf("[%d]", i+1)
}

func (n notes) write(w io.Writer) {
	for i, why := range n {
		fmt.Fprintf(w, "[%d] %s\n", i+1, why)
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
}
