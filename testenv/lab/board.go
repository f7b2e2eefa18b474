package lab

import (
	"fmt"
	"strings"
	"time"
)

// Board draws states for a terminal.
type Board struct {
	// Width and Height are the terminal's, in characters; less than 40 and 12
	// are taken as that. What does not fit is left out.
	Width, Height int
	// Colour allows ANSI colours.
	Colour bool
}

// The columns of the board.
const (
	margin   = 1
	colName  = margin
	colValue = 20 // where the text behind a name begins
	colStrip = 46
	maxWidth = 100
)

// colEnds is where the columns of numbers end.
var colEnds = [...]int{23, 32, 42, 51}

// Draw returns the lines of the board, at most Height.
func (b Board) Draw(s State) []string {
	b.Width, b.Height = min(max(b.Width, 40), maxWidth), max(b.Height, 12)
	var top []*line
	add := func(ls ...*line) { top = append(top, ls...) }
	add(b.title(s), b.rule())
	add(b.head("last 5 s", "answered", "failed", "slowest").to(colStrip).put(faint, "availability"))
	for _, isp := range s.ISPs {
		add(b.isp(isp))
	}
	add(b.line())
	of := ""
	if len(s.ISPs) > 0 {
		of = " of " + s.ISPs[0].Name
	}
	add(b.head("pool"+of, "active", "suspect", "dead", "reserve"))
	for _, p := range s.Pool {
		add(b.provider(p))
	}
	add(b.line(), b.blocked(s))
	add(b.hit(s)...)
	add(b.line())

	bottom := []*line{b.line(), b.hint(s)}
	room := b.Height - len(top) - len(bottom)
	if room < 3 {
		bottom, room = nil, b.Height-len(top)
	}
	events := s.Events
	if skip := len(events) - max(room, 0); skip > 0 {
		events = events[skip:]
	}
	for _, e := range events {
		add(b.event(e))
	}
	for range room - len(events) {
		add(b.line())
	}
	top = append(top, bottom...)
	out := make([]string, 0, b.Height)
	for _, l := range top[:min(len(top), b.Height)] {
		out = append(out, l.String())
	}
	return out
}

func (b Board) line() *line { return &line{width: b.Width, colour: b.Colour} }

func (b Board) title(s State) *line {
	l := b.line().to(margin).put(strong, "paperplane lab").put(faint, "  %s", s.Title)
	left := fmt.Sprintf("%s of %s", clockTime(s.Elapsed), clockTime(s.Length))
	date := s.date()
	return l.to(b.Width-margin-len(left)-3-len(date)).put(strong, "%s", date).put(faint, "   %s", left)
}

func (b Board) rule() *line {
	return b.line().to(margin).put(faint, "%s", strings.Repeat("─", b.Width-2*margin))
}

func (b Board) head(name string, columns ...string) *line {
	l := b.line().to(margin).put(faint, "%s", name)
	for i, c := range columns {
		l.right(faint, colEnds[i], "%s", c)
	}
	return l
}

func (b Board) number(l *line, i, n int, t tone) {
	if n == 0 {
		t = faint
	}
	l.right(t, colEnds[i], "%s", thousands(n))
}

func (b Board) isp(s ISPState) *line {
	l := b.line().to(colName).put(normal, "%s", s.Name)
	b.number(l, 0, s.OK, normal)
	b.number(l, 1, s.Failed, bad)
	if s.OK > 0 {
		t := normal
		if s.Slowest >= slow {
			t = warn
		}
		l.right(t, colEnds[2], "%s", seconds(s.Slowest))
	}
	l.to(colStrip)
	share := percent(s.Answered)
	b.strip(l, s.Strip, b.Width-margin-colStrip-1-8)
	t := good
	if s.Answered < 1 {
		t = bad
	}
	return l.right(t, b.Width-margin, "%s", share)
}

// strip draws the run as one character for each part of it.
func (b Board) strip(l *line, cells []Cell, width int) {
	for i := range max(width, 0) {
		if len(cells) == 0 {
			return
		}
		var sum Cell
		for _, c := range cells[i*len(cells)/width : max((i+1)*len(cells)/width, i*len(cells)/width+1)] {
			sum.OK, sum.Slow, sum.Failed = sum.OK+c.OK, sum.Slow+c.Slow, sum.Failed+c.Failed
		}
		switch {
		case sum.Failed > 0:
			l.put(bad, "▁")
		case sum.Slow > 0:
			l.put(warn, "▅")
		case sum.OK > 0:
			l.put(good, "█")
		default:
			l.put(faint, "·")
		}
	}
}

func (b Board) provider(p ProviderState) *line {
	l := b.line().to(colName).put(normal, "%s", p.Name)
	b.number(l, 0, p.Active, good)
	b.number(l, 1, p.Suspect, warn)
	b.number(l, 2, p.Dead, bad)
	b.number(l, 3, p.Reserve, normal)
	return l
}

func (b Board) blocked(s State) *line {
	l := b.line().to(margin).put(faint, "addresses blocked").to(colValue)
	l.put(strong, "%s", thousands(s.Blocked))
	if s.Peak > s.Blocked {
		l.put(faint, ", at the peak %s", thousands(s.Peak))
	}
	return l
}

// hitLines is how many lines the tenants have, needed or not: what is below
// them must not jump.
const hitLines = 2

// hit names the tenants.
func (b Board) hit(s State) []*line {
	l := b.line().to(margin).put(faint, "tenants hit").to(margin+12).put(normal, "%d of %d", len(s.Hit), s.Tenants)
	lines := []*line{l, b.line()}
	for i, text := range wrap(s.Hit, b.Width-margin-colValue) {
		if i < hitLines {
			lines[i].to(colValue).put(normal, "%s", text)
		}
	}
	return lines
}

func (b Board) event(e Event) *line {
	l := b.line().to(margin).put(faint, "%s", e.date()).to(margin + 13)
	t := normal
	if e.Good {
		t = good
	}
	effect := e.effect()
	if room := b.Width - margin - 13 - margin - len(effect) - 1; len(e.Text) > room && room > 20 {
		e.Text = strings.TrimRight(e.Text[:room-1], " ,") + "…"
	}
	return l.put(t, "%s", e.Text).right(warn, b.Width-margin, "%s", effect)
}

// effect is what an event did, as short as it can be said.
func (e Event) effect() string {
	var parts []string
	if e.Lost > 0 {
		parts = append(parts, fmt.Sprintf("%d lost", e.Lost))
	}
	if e.Moved > 0 {
		parts = append(parts, fmt.Sprintf("%d moved in %s", e.Moved, tenths(e.Took)))
	}
	return strings.Join(parts, ", ")
}

func tenths(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func (b Board) hint(s State) *line {
	return b.line().to(margin).put(faint, "%s", s.try()).
		right(faint, b.Width-margin, "Ctrl-C ends")
}
