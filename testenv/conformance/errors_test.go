package conformance_test

import (
	"testing"
	"testing/synctest"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/conformance"
)

func TestErrors(t *testing.T) {
	for _, c := range conformance.ErrorCases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, err := conformance.PlayErrors(&c, testenv.Memory)
				if err != nil {
					t.Fatal(err)
				}
				if d := c.Differs(said, false); d != "" {
					t.Error(d, said)
				}
			})
		})
	}
}
