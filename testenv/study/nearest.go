package study

import (
	"slices"
	"strings"
)

// Nearest are the names that somebody may have meant who wrote another, at most
// three, the most likely first: those that a few slips of the finger away, and those
// that have it as a part.
func Nearest(written string, names []string) []string {
	written = strings.ToLower(written)
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, name := range names {
		d := slips(written, strings.ToLower(name))
		if d > max(1, min(len(written), len(name))/3) {
			if len(written) < 3 || !strings.Contains(name, written) && !slices.Contains(parts(name), written) {
				continue
			}
			d = 100 + len(name)
		}
		near = append(near, candidate{name, d})
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var found []string
	for _, c := range near[:min(len(near), 3)] {
		found = append(found, c.name)
	}
	return found
}

func parts(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("._-/", r) })
}

// slips is how many characters must be put in, left out, replaced or exchanged with
// their neighbour to make b of a (Damerau and Levenshtein, each place changed once).
func slips(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range len(a) {
		older, old, row := rows[0], rows[1], rows[2]
		row[0] = i + 1
		for j := range len(b) {
			change := old[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, old[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
		rows = [3][]int{old, row, older}
	}
	return rows[1][len(b)]
}
