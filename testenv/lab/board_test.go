package lab_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/paperplane-relay/paperplane/testenv/lab"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func day(d, hour int) time.Time { return time.Date(2018, time.April, d, hour, 0, 0, 0, time.UTC) }

// picture is a state in the middle of things.
func picture() lab.State {
	strip := make([]lab.Cell, 72)
	for i := range 40 {
		strip[i] = lab.Cell{OK: 20}
	}
	strip[10].Slow, strip[22].Slow = 2, 1
	bad := append([]lab.Cell(nil), strip...)
	bad[25].Failed = 1
	return lab.State{
		Title: "April 2018", Date: time.Date(2018, 4, 17, 13, 2, 0, 0, time.UTC),
		Elapsed: 65 * time.Second, Length: 2 * time.Minute, Port: "127.0.0.1:1080",
		ISPs: []lab.ISPState{
			{Name: "mts", OK: 71, Slowest: 310 * time.Millisecond, Streams: 4, Strip: strip, Answered: 1},
			{Name: "megafon", OK: 38, Failed: 1, Slowest: 2300 * time.Millisecond, Streams: 3, Strip: bad, Answered: .99996},
			{Name: "regional", Streams: 3, Strip: strip, Answered: 1},
		},
		Pool: []lab.ProviderState{
			{Name: "amazon", Active: 1, Suspect: 2, Dead: 12, Reserve: 4},
			{Name: "google", Active: 2, Dead: 5, Reserve: 6},
			{Name: "digitalocean", Active: 3, Reserve: 11},
			{Name: "azure"},
		},
		Blocked: 10354688, Peak: 10354688,
		Hit: []string{
			"cash desks", "game consoles", "live streams", "team chat", "calls", "music", "online school",
		},
		Tenants: 8,
		Events: []lab.Event{
			{N: 8, At: day(16, 20), Text: "3 fresh endpoints: google, digitalocean", Good: true, Settled: true},
			{N: 9, At: day(16, 21), Text: "blocker freezes 35.156.0.0/14", Lost: 3, Moved: 21, Took: 1430 * time.Millisecond},
			{N: 10, At: day(17, 1), Text: "blocker resets 35.184.0.0/13 and 1 more", Lost: 4, Moved: 41, Took: 300 * time.Millisecond},
			{N: 11, At: day(17, 4), Text: "blocker strikes off 52.0.0.0/12", Good: true},
			{N: 12, At: day(17, 11), Text: "blocker lists 34.192.0.0/10 and 3 more", Lost: 2},
			{N: 13, At: day(17, 13), Text: "blocker lists 2 prefixes"},
		},
	}
}

func TestBoard(t *testing.T) {
	for _, c := range []struct {
		file          string
		width, height int
		colour        bool
	}{
		{"board-80x24.txt", 80, 24, false},
		{"board-80x24.ansi", 80, 24, true},
		{"board-120x40.txt", 120, 40, false},
		{"board-60x14.txt", 60, 14, false},
	} {
		t.Run(c.file, func(t *testing.T) {
			lines := lab.Board{Width: c.width, Height: c.height, Colour: c.colour}.Draw(picture())
			if len(lines) > c.height {
				t.Errorf("%d lines, want at most %d", len(lines), c.height)
			}
			for _, l := range lines {
				if !c.colour && utf8.RuneCountInString(l) > c.width {
					t.Errorf("wider than %d: %q", c.width, l)
				}
			}
			golden(t, c.file, []byte(strings.Join(lines, "\n")+"\n"))
		})
	}
}

// TestBoardBegin holds that nothing is needed for a first picture.
func TestBoardBegin(t *testing.T) {
	for _, l := range (lab.Board{}).Draw(lab.State{}) {
		if utf8.RuneCountInString(l) > 40 {
			t.Errorf("wider than 40: %q", l)
		}
	}
}
