package scenario_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// A night, a little of which is an hour in the test below.
const shortNight = `
title: A short night
begins: 2025-06-02 20:00
lasts: 7h
clouds:
  - name: amazon
    prefixes: [52.58.0.0/15]
    endpoints: [{count: 1, in: 52.58.4.0/24}, {count: 1, in: 52.59.0.0/16}]
  - name: domestic
    prefixes: [84.201.128.0/18]
    endpoints: [{count: 1}]
isps:
  - name: mts
    rules:
      - {when: {except-prefixes: [84.201.128.0/18], daily: 23:00-00:00}, do: drop}
registry:
  - {at: +1h, block: [52.58.4.0/24], do: reset}
  - {at: +2h, unblock: [52.58.4.0/24]}
  - {at: +5h, block: [52.59.0.0/16]}
events:
  - {at: +6h, evict: [{cloud: domestic}]}
`

// TestInEveryWorld plays a night, in memory and on a kernel alike, an hour in four
// seconds: it looks two seconds after each change, and two before the next.
func TestInEveryWorld(t *testing.T) {
	worldtest.Run(t, func(t *testing.T) {
		s := parsed(t, shortNight)
		w := testenv.New(testenv.Config{})
		stage, err := s.Build(w, scenario.Options{Speed: 900})
		if err != nil {
			t.Fatal(err)
		}
		hosts := stage.Endpoints()
		var play sync.WaitGroup
		play.Go(func() {
			if err := stage.Play(t.Context()); err != nil {
				t.Error(err)
			}
		})
		reach := func(h *testenv.Host) bool {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			c, err := stage.ISPs[0].DialContext(ctx, "tcp", h.Spec().Address())
			if err != nil {
				return false
			}
			defer c.Close()
			// A greeting's answer: the process is there as well.
			_ = c.SetDeadline(time.Now().Add(500 * time.Millisecond))
			var answer [2]byte
			if _, err := c.Write([]byte{5, 1, 2}); err != nil {
				return false
			}
			_, err = io.ReadFull(c, answer[:])
			return err == nil
		}
		for _, step := range []struct {
			half int     // past which hour
			want [3]bool // at 52.58.4.0/24, at 52.59.0.0/16, at domestic
		}{
			{0, [3]bool{true, true, true}},
			{1, [3]bool{false, true, true}},
			{2, [3]bool{true, true, true}},
			{3, [3]bool{false, false, true}},
			{4, [3]bool{true, true, true}},
			{5, [3]bool{true, false, true}},
			{6, [3]bool{true, false, false}},
		} {
			after := time.Duration(step.half)*time.Hour + 30*time.Minute
			time.Sleep(time.Until(stage.Time(s.Begins.Add(after))))
			for i, h := range hosts {
				if got := reach(h); got != step.want[i] {
					t.Errorf("after %v: %v can be reached: %v", after, h.Addr(), got)
				}
			}
		}
		play.Wait()
		causes := make(map[netip.Addr]testenv.Cause)
		for _, b := range w.Ledger().Burns {
			causes[b.Endpoint.Addr()] = b.Cause
		}
		if len(causes) != 2 || causes[hosts[0].Addr()] != testenv.ByPrefix || causes[hosts[1].Addr()] != testenv.ByPrefix {
			t.Errorf("burnt: %v", causes)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What a world cannot do is its own error, whichever world it is.
func TestRulesForNames(t *testing.T) {
	worldtest.Run(t, func(t *testing.T) {
		w := testenv.New(testenv.Config{})
		_, err := builtin(t, "tspu-2025").Build(w, scenario.Options{})
		if kernel := worldtest.Backend() == testenv.Kernel; kernel != errors.Is(err, errors.ErrUnsupported) || err != nil && !kernel {
			t.Errorf("%v", err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}
