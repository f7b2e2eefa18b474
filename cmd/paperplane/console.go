package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// console is a [slog.Handler] for people at a terminal: the time of day, the
// message, and the attributes. The level shows only where it matters.
type console struct {
	level  slog.Leveler
	attrs  []byte // what With added, formatted
	prefix string // the open groups

	mu *sync.Mutex // shared by all that write to w
	w  io.Writer
}

func newConsole(w io.Writer, level slog.Leveler) *console {
	return &console{level: level, mu: new(sync.Mutex), w: w}
}

// Enabled implements [slog.Handler].
func (c *console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// Handle implements [slog.Handler]: one record is one write of one line.
func (c *console) Handle(_ context.Context, r slog.Record) error {
	var line bytes.Buffer
	if !r.Time.IsZero() {
		line.WriteString(paint(c.w, faint, r.Time.Format("15:04:05")) + " ")
	}
	switch {
	case r.Level >= slog.LevelError:
		line.WriteString(paint(c.w, red, "error: "))
	case r.Level >= slog.LevelWarn:
		line.WriteString(paint(c.w, yellow, "warning: "))
	}
	line.WriteString(r.Message)
	line.Write(c.attrs)
	r.Attrs(func(a slog.Attr) bool {
		c.attr(&line, c.prefix, a)
		return true
	})
	line.WriteByte('\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.w.Write(line.Bytes())
	return err
}

// WithAttrs implements [slog.Handler].
func (c *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	line := bytes.NewBuffer(bytes.Clone(c.attrs))
	for _, a := range attrs {
		c.attr(line, c.prefix, a)
	}
	with := *c
	with.attrs = line.Bytes()
	return &with
}

// WithGroup implements [slog.Handler].
func (c *console) WithGroup(name string) slog.Handler {
	with := *c
	if name != "" {
		with.prefix += name + "."
	}
	return &with
}

func (c *console) attr(line *bytes.Buffer, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			c.attr(line, prefix, member)
		}
		return
	}
	if a.Key == "" {
		return
	}
	text := v.String()
	if v.Kind() == slog.KindDuration {
		// Three digits are what people read.
		d := v.Duration()
		unit := time.Nanosecond
		for d/unit >= 1000 {
			unit *= 10
		}
		text = d.Round(unit).String()
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r == 0x7f }) {
		text = strconv.Quote(text)
	}
	line.WriteString("  " + paint(c.w, faint, prefix+a.Key+"=") + text)
}
