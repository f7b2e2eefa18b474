package lab_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/lab"
)

// TestJournal holds what is written of a run that shows one event in the
// making.
func TestJournal(t *testing.T) {
	var out bytes.Buffer
	j := &lab.Journal{W: &out}
	s := picture()
	s.Elapsed = 0
	s.Events = s.Events[:1]
	j.Show(s)
	j.Show(s)
	s = picture()
	s.Events = s.Events[:4]
	for i := range s.Events {
		s.Events[i].Settled = i != 1
	}
	j.Show(s) // the second event's numbers do not stand yet
	s.Events[1].Settled, s.Events[1].Lost, s.Events[1].Moved = true, 1, 1
	j.Show(s)
	s.Elapsed += time.Second
	j.Show(s)
	golden(t, "journal.txt", out.Bytes())
}

// TestScreen holds what a terminal gets.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	width := 80
	s := &lab.Screen{W: &out, Size: func() (int, int) { return width, 24 }}
	shown := func(state lab.State) string {
		out.Reset()
		s.Show(state)
		return out.String()
	}
	state := picture()
	if got := shown(state); !strings.HasPrefix(got, "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J") || strings.Count(got, "\x1b[K") != 24 {
		t.Errorf("first picture: %q", got)
	}
	if got := shown(state); got != "" {
		t.Errorf("same picture: %q", got)
	}
	state.Pool[0].Dead++
	if got := shown(state); !strings.HasPrefix(got, "\x1b[9;1H amazon ") || strings.Count(got, "\x1b[K") != 1 {
		t.Errorf("one number more: %q", got)
	}
	width = 100
	if got := shown(state); !strings.HasPrefix(got, "\x1b[H\x1b[2J") || strings.Count(got, "\x1b[K") != 24 {
		t.Errorf("another size: %q", got)
	}
	out.Reset()
	if err := s.Close(); err != nil || out.String() != "\x1b[?25h\x1b[?1049l" {
		t.Errorf("closed: %q, %v", out.String(), err)
	}
	out.Reset()
	if err := s.Close(); err != nil || out.Len() > 0 {
		t.Errorf("closed again: %q, %v", out.String(), err)
	}
}

// TestReport holds the summary.
func TestReport(t *testing.T) {
	var out bytes.Buffer
	for _, r := range []lab.Report{
		{
			Title: "April 2018", Length: 2 * time.Minute, Requests: 4012, Streams: 4010, Cut: 114,
			Gap: 570 * time.Millisecond, GapISP: "mts", GapEnd: day(17, 13), Slowest: 1900 * time.Millisecond,
			Launched: 88, Discovered: 21, ByPrefix: 50, BornBlocked: 6, Lost: 42, ISP: "mts", Peak: 19236870, Tenants: 8,
			Collateral: []lab.Collateral{
				{Name: "game consoles", Time: 300 * time.Hour},
				{Name: "cash desks", Time: 299 * time.Hour},
				{Name: "team chat", Time: 280 * time.Hour},
				{Name: "online school", Time: 30 * time.Hour},
			},
		},
		{
			Title: "April 2018", Length: 3 * time.Second, Interrupted: true, Requests: 61, Failed: 2, Excused: 1, Streams: 58,
			Failures: []string{"mts mts-4: GET https://telegram.lab/, asked at 0:01, after 10 s: EOF"},
			Launched: 36, ISP: "mts", Tenants: 8, Directs: 1,
		},
	} {
		if _, err := r.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "report.txt", out.Bytes())
}
