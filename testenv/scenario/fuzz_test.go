package scenario_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// FuzzParse holds that whatever is read gives a scenario that is valid, or errors
// with places that exist.
func FuzzParse(f *testing.F) {
	for _, name := range scenario.Names() {
		text, err := scenario.Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(head))
	f.Add([]byte(manyThings))
	f.Add([]byte("title: &a [*a, *a]\nisps: *a\n"))
	f.Add([]byte("? {a: b}\n: !!map {<<: *x}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Parse("x.yaml", text)
		if err == nil {
			if err := s.Validate(); err != nil {
				t.Errorf("parsed, and not valid: %v", err)
			}
			return
		}
		var errs scenario.Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		lines := strings.Split(strings.ReplaceAll(string(text), "\r", "\n"), "\n")
		for _, e := range errs {
			if e.Line > len(lines) || e.Message == "" || !utf8.ValidString(e.Error()) && utf8.Valid(text) {
				t.Errorf("%+v", e)
			}
		}
		if !slices.IsSortedFunc(errs[:min(len(errs), 20)], func(a, b *scenario.Error) int { return a.Line - b.Line }) {
			t.Errorf("not in the order of the file: %v", err)
		}
	})
}

// FuzzAction holds that no text makes an action that is out of range, or a panic.
func FuzzAction(f *testing.F) {
	for _, text := range []string{"drop", "freeze:16KiB,counting:down", "police:64kbit/s", "reset,lingering:10m,renewing", "freeze:25packets"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := scenario.ParseAction(text)
		if err == nil && a.String() == "" {
			t.Errorf("%q: %v", text, a)
		}
		if d, err := scenario.ParseDuration(text); err == nil {
			if d < 0 || d > 100*365*24*time.Hour {
				t.Errorf("%q: %v", text, d)
			}
			if back, err := scenario.ParseDuration(scenario.FormatDuration(d)); err != nil || back != d {
				t.Errorf("%q: %v, written %s, %v", text, d, scenario.FormatDuration(d), err)
			}
		}
	})
}
