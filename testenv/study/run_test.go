package study_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

// results runs a world, and puts what comes in the order in which it came.
func results(t *testing.T, w study.World, count, workers int) []study.Result {
	t.Helper()
	var all []study.Result
	if err := study.Run(t.Context(), w, study.Seeds{First: 1, Count: count}.List(), workers, func(r study.Result) error {
		all = append(all, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// However many workers there are, the bytes are the same.
func TestWorkersDoNotShow(t *testing.T) {
	var want []byte
	for _, workers := range []int{1, 2, 7, 100} {
		var b bytes.Buffer
		rs := results(t, newToy(), 20, workers)
		if err := toys.WriteSummary(&b, rs); err != nil {
			t.Fatal(err)
		}
		if err := toys.WriteSeries(&b, rs); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = b.Bytes()
		} else if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%d workers: %s\nwant %s", workers, b.Bytes(), want)
		}
	}
}

func TestFailureEndsRun(t *testing.T) {
	w := newToy().(*toy)
	w.fail = 3
	done := 0
	err := study.Run(t.Context(), w, study.Seeds{First: 1, Count: 1000}.List(), 2, func(study.Result) error {
		done++
		return nil
	})
	if !errors.Is(err, errToy) || done > 10 {
		t.Errorf("%d done, error %v", done, err)
	}
	full := errors.New("disk full")
	err = study.Run(t.Context(), newToy(), study.Seeds{First: 1, Count: 1000}.List(), 2, func(study.Result) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}

// What was done when it is interrupted stays done, and nothing runs on.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newToy().(*toy)
		w.stuck = 3
		ctx, cancel := context.WithCancel(t.Context())
		var done []uint64
		ended := make(chan error)
		go func() {
			ended <- study.Run(ctx, w, study.Seeds{First: 1, Count: 4}.List(), 1, func(r study.Result) error {
				done = append(done, r.Seed)
				return nil
			})
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if len(done) != 2 {
			t.Errorf("done are %v", done)
		}
	})
}

func TestNoSeeds(t *testing.T) {
	if rs := results(t, newToy(), 0, 4); len(rs) != 0 {
		t.Errorf("%v", rs)
	}
}
