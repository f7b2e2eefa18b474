package scenario

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// place is a line and a column of a file.
type place struct{ line, column int }

// placeOf is where a node begins.
func placeOf(n ast.Node) place {
	switch v := n.(type) {
	case *ast.MappingNode:
		// Its own token is the first colon, unless it stands in braces.
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return placeOf(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return placeOf(v.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return place{1, 1}
	}
	p := n.GetToken().Position
	return place{p.Line, p.Column}
}

// kindOf names what a node is, for people.
func kindOf(n ast.Node) string {
	if n.Type() == ast.SequenceType {
		return "list"
	}
	return "mapping"
}

// report collects errors.
type report struct {
	file   string
	lines  []string
	places map[string]place
	errs   Errors
}

// at notes an error at a place.
func (r *report) at(path string, p place, format string, args ...any) {
	e := &Error{File: r.file, Line: p.line, Column: p.column, Path: path, Message: fmt.Sprintf(format, args...)}
	if p.line > 0 && p.line <= len(r.lines) {
		e.Source = strings.TrimRight(r.lines[p.line-1], " ")
		// What is missing stands behind the end.
		e.Column = min(e.Column, utf8.RuneCountInString(e.Source)+1)
	}
	r.errs = append(r.errs, e)
}

// tagOf is a field's key, and what else its tag says.
func tagOf(f reflect.StructField) (key string, options []string) {
	parts := strings.Split(f.Tag.Get("yaml"), ",")
	return parts[0], parts[1:]
}

// fieldOf is the field with a key; invalid if there is none.
func fieldOf(v reflect.Value, key string) (reflect.Value, []string) {
	for i := range v.NumField() {
		if k, options := tagOf(v.Type().Field(i)); k == key && k != "-" {
			return v.Field(i), options
		}
	}
	return reflect.Value{}, nil
}

// keysOf are the keys that a struct has.
func keysOf(t reflect.Type) (keys []string) {
	for f := range t.Fields() {
		if k, _ := tagOf(f); k != "" && k != "-" {
			keys = append(keys, k)
		}
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// unknownKey says what was perhaps meant by a key.
func unknownKey(key string, known []string) string {
	return unknown("key", key, known)
}

// unknown says that there is no such thing, and what was perhaps meant.
func unknown(what, word string, known []string) string {
	text := fmt.Sprintf("unknown %s %q", what, word)
	best := slices.MinFunc(append([]string{""}, known...), func(a, b string) int {
		return cmp.Compare(distance(word, a), distance(word, b))
	})
	switch {
	case best != "" && distance(word, best) <= 1+len(best)/4:
		return text + fmt.Sprintf(": is it %q?", best)
	case len(known) == 0:
		return text + ": there is none"
	}
	return text + ": there is " + list(known)
}

// distance is how many letters must be put in, taken out or changed to make one
// word of another (Levenshtein, 1965).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, last+cost)
		}
	}
	return row[len(b)]
}

// list joins words: a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
