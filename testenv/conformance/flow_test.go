package conformance_test

import (
	"testing"
	"testing/synctest"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/conformance"
)

func TestFlows(t *testing.T) {
	for _, c := range conformance.FlowCases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, err := conformance.PlayFlow(&c, testenv.Memory)
				if err != nil {
					t.Fatal(err)
				}
				if d := c.Client.Differs(f.Client); d != "" {
					t.Errorf("client: %s", d)
				}
				if d := c.Server.Differs(f.Server); d != "" {
					t.Errorf("server: %s", d)
				}
			})
		})
	}
}

func TestLoss(t *testing.T) {
	for _, share := range []float64{.01, .05} {
		synctest.Test(t, func(t *testing.T) {
			l, err := conformance.Measure(share, 4<<20, testenv.Memory)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(l.Held(), l.Mean(), l.Quantile(.5), l.Quantile(.9), l.Quantile(.99), l.Rate)
		})
	}
}
