package scenario_test

import (
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

func TestBuiltin(t *testing.T) {
	for _, name := range scenario.Names() {
		s, err := scenario.Builtin(name)
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.Logf("%+v", s)
	}
}
