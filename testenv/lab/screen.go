package lab

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Screen is a [Display] for a terminal: a [Board], redrawn in place on the
// alternate screen. Close gives the terminal back as it was.
type Screen struct {
	// W is the terminal, Size its size in characters: asked for each picture,
	// so that it may change.
	W    io.Writer
	Size func() (width, height int)
	// Colour allows ANSI colours.
	Colour bool

	open          bool
	width, height int
	drawn         []string
}

var _ Display = (*Screen)(nil)

// The escape sequences of a screen, as in XTerm's list of control sequences.
const (
	enter = "\x1b[?1049h\x1b[?25l" // alternate screen, no cursor
	leave = "\x1b[?25h\x1b[?1049l"
	wipe  = "\x1b[H\x1b[2J"
	erase = "\x1b[K" // to the end of the line
)

// Show draws what has changed since the last picture, with one write. A
// terminal that is gone is no reason to stop: errors are dropped.
func (s *Screen) Show(state State) {
	var b bytes.Buffer
	if !s.open {
		s.open = true
		b.WriteString(enter)
	}
	if width, height := s.Size(); width != s.width || height != s.height || s.drawn == nil {
		s.width, s.height, s.drawn = width, height, nil
		b.WriteString(wipe)
	}
	lines := Board{Width: s.width, Height: s.height, Colour: s.Colour}.Draw(state)
	lines = lines[:min(len(lines), max(s.height, 1))]
	for i, l := range lines {
		if i < len(s.drawn) && s.drawn[i] == l {
			continue
		}
		fmt.Fprintf(&b, "\x1b[%d;1H%s%s", i+1, l, erase)
	}
	s.drawn = slices.Clone(lines)
	_, _ = s.W.Write(b.Bytes())
}

// Close leaves the screen and shows the cursor again. It may be called more
// than once.
func (s *Screen) Close() error {
	if !s.open {
		return nil
	}
	s.open, s.drawn = false, nil
	_, err := io.WriteString(s.W, leave)
	return err
}
