package main

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// cell is one field of a table. Its colour shows only on a terminal.
type cell struct{ text, colour string }

// table is text in aligned columns, two spaces apart. All rows have as many
// cells.
type table struct {
	rows  [][]cell
	right []int // the columns that are aligned to the right
}

func (t table) print(w io.Writer) error {
	var widths []int
	for _, row := range t.rows {
		widths = append(widths, make([]int, len(row)-min(len(row), len(widths)))...)
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var out strings.Builder
	for _, row := range t.rows {
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
			text := paint(w, c.colour, c.text)
			switch {
			case slices.Contains(t.right, i):
				text = pad + text
			case i < len(row)-1:
				text += pad
			}
			if i > 0 {
				out.WriteString("  ")
			}
			out.WriteString(text)
		}
		out.WriteByte('\n')
	}
	_, err := io.WriteString(w, out.String())
	return err
}
