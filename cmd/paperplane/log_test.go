package main

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/slogtest"
)

// TestConsole holds the console to the contract of slog handlers, by reading
// its lines back.
func TestConsole(t *testing.T) {
	var out bytes.Buffer
	newHandler := func(*testing.T) slog.Handler {
		out.Reset()
		return newConsole(&out, slog.LevelInfo)
	}
	slogtest.Run(t, newHandler, func(t *testing.T) map[string]any { return parseConsole(t, out.String()) })
}

var consoleLine = regexp.MustCompile(`^(?:(\d\d:\d\d:\d\d) )?(?:(error|warning): )?(.*?)((?:  [^ =]+=(?:"[^"]*"|[^ "]+))*)\n$`)

func parseConsole(t *testing.T, line string) map[string]any {
	t.Helper()
	found := consoleLine.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("cannot read %q", line)
	}
	// The level shows only where it matters, so it is known to be info here.
	record := map[string]any{slog.LevelKey: "INFO", slog.MessageKey: found[3]}
	if found[1] != "" {
		record[slog.TimeKey] = found[1]
	}
	for attr := range strings.SplitSeq(strings.TrimSpace(found[4]), "  ") {
		key, value, ok := strings.Cut(attr, "=")
		if !ok {
			continue
		}
		group := record
		path := strings.Split(key, ".")
		for _, name := range path[:len(path)-1] {
			inner, ok := group[name].(map[string]any)
			if !ok {
				inner = make(map[string]any)
				group[name] = inner
			}
			group = inner
		}
		group[path[len(path)-1]] = value
	}
	return record
}

func TestWarnings(t *testing.T) {
	var out bytes.Buffer
	log := warnings(timeless(&out)).With("part", "pool")
	log.Info("too much")
	log.Warn("enough")
	if want := "level=WARN msg=enough part=pool\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
