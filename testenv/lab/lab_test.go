package lab_test

import (
	"os"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/lab"
)

// TestRun plays everything as fast as it goes. No request may fail for want of
// an endpoint while one is reachable.
func TestRun(t *testing.T) {
	var last lab.State
	shown := 0
	l := &lab.Lab{Length: lab.MinLength, Seed: 1, Display: lab.DisplayFunc(func(s lab.State) {
		last = s
		shown++
	})}
	report, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report.WriteTo(os.Stderr)
	for _, l := range (lab.Board{Width: 80, Height: 60}).Draw(last) { t.Log(l) }
	if !report.OK() {
		t.Error("failed")
	}
}
