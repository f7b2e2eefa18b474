package verdicts_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/verdicts"
)

func TestQuick(t *testing.T) {
	for _, c := range verdicts.Cases() {
		t.Run(c.Truth, func(t *testing.T) {
			for seed := range uint64(4) {
				var r verdicts.Run
				began := time.Now()
				synctest.Test(t, func(t *testing.T) {
					var err error
					if r, err = verdicts.Play(&c, 0, seed); err != nil {
						t.Fatal(err)
					}
				})
				t.Logf("%v %+v", time.Since(began), r)
			}
		})
	}
}
