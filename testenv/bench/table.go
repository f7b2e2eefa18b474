package bench

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// column is one figure in a table.
type column struct {
	head   string
	figure string
	format string
	ratio  bool // show the ratio to straight instead
}

// block is one table.
type block struct {
	title   string
	columns []column
}

// blocks are the tables of a report.
func (r *Report) blocks() []block {
	through := block{title: fmt.Sprintf("GB/s by number of streams, with %d idle ones held; ratio to straight; CPU seconds of the relay per GB", r.Held)}
	who := processes
	if !r.Origin {
		who = who[:len(who)-1]
	}
	cpu := block{title: "CPU seconds per GB of each process, 8 streams down"}
	for _, f := range flows {
		through.columns = append(through.columns,
			column{f.head, f.name + "_gb_per_s", "%.2f", false},
			column{"ratio", f.name + "_gb_per_s", "%.2f", true},
			column{"CPU s", f.name + "_relay_cpu_s_per_gb", "%.3f", false})
	}
	for _, process := range who {
		cpu.columns = append(cpu.columns, column{process, "down_8_" + process + "_cpu_s_per_gb", "%.3f", false})
	}
	connect := block{
		title: fmt.Sprintf("Connections with %d workers and %d idle streams held; CPU milliseconds of each process per connection", r.Workers, r.Held),
		columns: []column{
			{"per s", "connections_per_s", "%.0f", false},
			{"ratio", "connections_per_s", "%.2f", true},
			{"p50 ms", "connections_p50_ms", "%.1f", false},
			{"p99 ms", "connections_p99_ms", "%.1f", false},
		},
	}
	for i, process := range who {
		head := process
		if i == 0 {
			head = "CPU: " + process
		}
		connect.columns = append(connect.columns, column{head, "connections_" + process + "_cpu_ms", "%.3f", false})
	}
	all := []block{through, cpu, connect}
	if len(r.Idle) > 0 {
		idle := block{title: "An idle stream: KB and descriptors of the relay; KB of the kernel, for all processes"}
		for _, n := range r.Idle {
			name := fmt.Sprintf("idle_%d_", n)
			idle.columns = append(idle.columns,
				column{fmt.Sprintf("of %d: KB", n), name + "kb", "%.1f", false},
				column{"descriptors", name + "descriptors", "%.2f", false},
				column{"kernel KB", name + "kernel_kb", "%.1f", false})
		}
		all = append(all, idle)
	}
	return all
}

// WriteTo writes the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var out strings.Builder
	m := r.Machine
	fmt.Fprintf(&out, "%s, %d cores, %s, %s; relays run as uid %d; medians of %d rounds\n", m.CPU, m.Cores, m.Kernel, m.Go, m.User, r.Rounds)
	for _, b := range r.blocks() {
		fmt.Fprintf(&out, "\n%s\n", b.title)
		out.WriteString(b.render(r.Rows))
	}
	if len(r.FirstBytes) > 0 {
		out.WriteString("\nFirst byte of paperplane in a network in memory, in round trips to the endpoint\n")
		out.WriteString(firstByteTable(r.FirstBytes))
	}
	out.WriteByte('\n')
	for _, row := range r.Rows {
		if row.Note != "" {
			fmt.Fprintf(&out, "%s: %s\n", row.Contender, row.Note)
		}
	}
	for _, row := range r.Rows {
		for _, f := range row.Failures {
			fmt.Fprintf(&out, "%s failed: %s\n", row.Contender, f)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&out, n)
	}
	n, err := io.WriteString(w, out.String())
	return int64(n), err
}

func (b block) render(rows []*Row) string {
	lines := [][]string{{""}}
	for _, c := range b.columns {
		lines[0] = append(lines[0], c.head)
	}
	for _, row := range rows {
		line := []string{row.Contender}
		for _, c := range b.columns {
			line = append(line, c.text(row))
		}
		lines = append(lines, line)
	}
	return align(lines)
}

func firstByteTable(rows []FirstByteRow) string {
	lines := [][]string{{""}}
	for _, trip := range RoundTrips {
		lines[0] = append(lines[0], "at "+trip.String())
	}
	for _, row := range rows {
		line := []string{row.Name}
		for _, trips := range row.Trips {
			line = append(line, fmt.Sprintf("%.1f", trips))
		}
		lines = append(lines, line)
	}
	return align(lines)
}

func (c column) text(row *Row) string {
	f, ok := row.Figures[c.figure]
	switch {
	case !ok, c.ratio && f.Ratio == 0:
		return "-"
	case c.ratio:
		return fmt.Sprintf(c.format, f.Ratio)
	}
	return fmt.Sprintf(c.format, f.Median)
}

// align is text in columns two spaces apart, numbers to the right.
func align(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	var out strings.Builder
	for _, line := range lines {
		var row strings.Builder
		for i, text := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i == 0 {
				row.WriteString("  " + text + pad)
			} else {
				row.WriteString("  " + pad + text)
			}
		}
		out.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return out.String()
}
