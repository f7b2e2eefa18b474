package lab

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tone is how a piece of text is to be seen.
type tone uint8

const (
	normal tone = iota
	strong
	faint
	good
	bad
	warn
)

// ansi are the escape sequences of the tones, restrained: they work on light
// and dark terminals.
var ansi = [...]string{
	strong: "\x1b[1m",
	faint:  "\x1b[2m",
	good:   "\x1b[32m",
	bad:    "\x1b[31m",
	warn:   "\x1b[33m",
}

const ansiPlain = "\x1b[0m"

// line is a line of text in the making. It is cut at its width. All text in it
// has characters of width one.
type line struct {
	b      strings.Builder
	at     int
	width  int
	colour bool
}

// put adds text.
func (l *line) put(t tone, format string, args ...any) *line {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	n := utf8.RuneCountInString(text)
	if room := l.width - l.at; n > room {
		if room <= 0 {
			return l
		}
		text = string([]rune(text)[:room-1]) + "…"
		n = room
	}
	l.at += n
	if !l.colour || t == normal || text == "" {
		l.b.WriteString(text)
		return l
	}
	l.b.WriteString(ansi[t] + text + ansiPlain)
	return l
}

// to moves on to a column, counted from 0.
func (l *line) to(column int) *line {
	if column > l.at {
		l.put(normal, "%s", strings.Repeat(" ", column-l.at))
	}
	return l
}

// right adds text that ends at a column.
func (l *line) right(t tone, column int, format string, args ...any) *line {
	text := fmt.Sprintf(format, args...)
	return l.to(column-utf8.RuneCountInString(text)).put(t, "%s", text)
}

func (l *line) String() string { return strings.TrimRight(l.b.String(), " ") }
