package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong with a scenario.
type Error struct {
	// File, Line and Column are where, counted from 1 and in characters. Line is
	// zero for a scenario that was made in a program, not read.
	File         string
	Line, Column int
	// Path names the value, e.g. "isps[0].rules[2].do"; empty for the whole.
	Path string
	// Message is what is wrong, and what to do about it.
	Message string
	// Source is the line as it is written.
	Source string
}

// Error says where and what, quotes the line, and points at the place:
//
//	mine.yaml:4:7: clouds[0].latency: must be a duration like 18ms, 30s, 2h30m or 36d, got "soon"
//	   4 |   - latency: soon
//	     |              ^
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Column)
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Message)
	if e.Source != "" {
		number := fmt.Sprintf("%4d", e.Line)
		text, column := window(e.Source, e.Column)
		fmt.Fprintf(&b, "\n%s | %s\n%s | %s^", number, text, strings.Repeat(" ", len(number)), strings.Repeat(" ", column))
	}
	return b.String()
}

// widest is how many characters of a line are quoted.
const widest = 100

// window is what is quoted of a line: a tab is one blank wide, and of a long line
// there is what stands around the column. It is that column's place, from 0.
func window(line string, column int) (text string, at int) {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line))
	at = min(max(column-1, 0), len(runes))
	if len(runes) <= widest {
		return string(runes), at
	}
	from := min(max(at-widest/2, 0), len(runes)-widest)
	text = string(runes[from : from+widest])
	if from+widest < len(runes) {
		text += "…"
	}
	if from > 0 {
		return "…" + text, at - from + 1
	}
	return text, at
}

// Errors is everything that is wrong with a scenario, in the order of the file.
type Errors []*Error

// Error lists them one after the other.
func (e Errors) Error() string {
	var lines []string
	for _, one := range e {
		lines = append(lines, one.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each of them.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// most is how many errors are worth reading at once.
const most = 20

// sorted puts errors in the order of the file, once each.
func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	e = slices.CompactFunc(e, func(a, b *Error) bool { return *a == *b })
	if len(e) > most {
		more := len(e) - most
		e = append(slices.Clip(e[:most]), &Error{File: e[0].File, Message: fmt.Sprintf("and %d more mistakes", more)})
	}
	return e
}
