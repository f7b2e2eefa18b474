package study

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Setting is a value of a world that can be changed by name.
type Setting struct {
	// Name is what people write before the =.
	Name string
	// About says what it is, with its unit.
	About string
	// Assumption marks a default that nobody has measured or published.
	Assumption bool
	value      value
}

// value is what a setting is bound to.
type value interface {
	set(text string) error
	String() string
	get() any
	allowed() string
}

// Set changes the value, or says what it must be.
func (s Setting) Set(text string) error {
	if err := s.value.set(strings.TrimSpace(text)); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

// String is the value as it would be set.
func (s Setting) String() string { return s.value.String() }

// Value is the value as a float64, an int or a string.
func (s Setting) Value() any { return s.value.get() }

// Allowed says which values there are.
func (s Setting) Allowed() string { return s.value.allowed() }

// Words are the values of a setting that has only a few.
func (s Setting) Words() []string {
	if w, ok := s.value.(interface{ all() []string }); ok {
		return w.all()
	}
	return nil
}

// Assumed is the setting with its default marked as an assumption.
func (s Setting) Assumed() Setting {
	s.Assumption = true
	return s
}

// Number is a setting for a real number within bounds, which may be infinite.
func Number(name string, to *float64, least, most float64, about string) Setting {
	return Setting{Name: name, About: about, value: number{to, least, most}}
}

// Whole is a setting for a whole number within bounds.
func Whole(name string, to *int, least, most int, about string) Setting {
	return Setting{Name: name, About: about, value: whole{to, least, most}}
}

// Word is a setting for one word of a few.
func Word[T ~string](name string, to *T, about string, words ...T) Setting {
	return Setting{Name: name, About: about, value: word[T]{to, words}}
}

type number struct {
	to          *float64
	least, most float64
}

func (n number) String() string { return strconv.FormatFloat(*n.to, 'g', -1, 64) }
func (n number) get() any       { return *n.to }

func (n number) allowed() string {
	switch {
	case math.IsInf(n.least, -1) && math.IsInf(n.most, 1):
		return "any number"
	case math.IsInf(n.most, 1):
		return fmt.Sprintf("at least %g", n.least)
	case math.IsInf(n.least, -1):
		return fmt.Sprintf("at most %g", n.most)
	}
	return fmt.Sprintf("from %g to %g", n.least, n.most)
}

func (n number) set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("must be a number, got %q", text)
	case v < n.least || v > n.most:
		return fmt.Errorf("must be %s, got %s", n.allowed(), text)
	}
	*n.to = v
	return nil
}

type whole struct {
	to          *int
	least, most int
}

func (w whole) String() string  { return strconv.Itoa(*w.to) }
func (w whole) get() any        { return *w.to }
func (w whole) allowed() string { return fmt.Sprintf("a whole number from %d to %d", w.least, w.most) }

func (w whole) set(text string) error {
	v, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (v < w.least || v > w.most):
		return fmt.Errorf("must be from %d to %d, got %s", w.least, w.most, text)
	case err != nil:
		return fmt.Errorf("must be a whole number, got %q", text)
	}
	*w.to = v
	return nil
}

type word[T ~string] struct {
	to    *T
	words []T
}

func (w word[T]) String() string  { return string(*w.to) }
func (w word[T]) get() any        { return string(*w.to) }
func (w word[T]) allowed() string { return strings.Join(w.all(), "|") }

func (w word[T]) all() []string {
	texts := make([]string, len(w.words))
	for i, have := range w.words {
		texts[i] = string(have)
	}
	return texts
}

func (w word[T]) set(text string) error {
	if !slices.Contains(w.words, T(text)) {
		return fmt.Errorf("must be one of %s, got %q", strings.Join(w.all(), ", "), text)
	}
	*w.to = T(text)
	return nil
}

// Settings are those of a world.
type Settings []Setting

// Set changes one by name. An error for a name that there is not tells the names that
// are most like it.
func (s Settings) Set(name, text string) error {
	i := slices.IndexFunc(s, func(have Setting) bool { return have.Name == name })
	if i >= 0 {
		return s[i].Set(text)
	}
	names := make([]string, len(s))
	for i, have := range s {
		names[i] = have.Name
	}
	if near := Nearest(name, names); len(near) > 0 {
		return fmt.Errorf("there is no %q here: is it %s?", name, strings.Join(near, " or "))
	}
	return fmt.Errorf("there is no %q here", name)
}

// Values are all of them by name, as in a manifest.
func (s Settings) Values() map[string]any {
	m := make(map[string]any, len(s))
	for _, have := range s {
		m[have.Name] = have.Value()
	}
	return m
}
