package conformance_test

import (
	"testing"
	"testing/synctest"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/conformance"
)

func TestConformance(t *testing.T) {
	for _, c := range conformance.Cases() {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, err := conformance.Play(&c, testenv.Memory)
				if err != nil {
					t.Fatal(err)
				}
				if !c.Holds(o, false) {
					t.Errorf("client: %v; want %v\nserver: %v; want %v", o.Client, c.Client, o.Server, c.Server)
				}
			})
		})
	}
}
