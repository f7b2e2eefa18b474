package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/conformance"
)

// played is a report of one case, with what both backends are said to have done.
func played(t *testing.T, name string, memory, kernel conformance.Outcome) *conformance.Report {
	t.Helper()
	r := conformance.New(func(n string) bool { return n == name })
	if len(r.Cases) != 1 {
		t.Fatalf("%d cases are called %s", len(r.Cases), name)
	}
	r.Cases[0].Memory, r.Cases[0].Kernel = &memory, &kernel
	return r
}

func TestWhatIsWrong(t *testing.T) {
	type seen = conformance.Seen
	const kilo = 1 << 10
	refused := conformance.Outcome{
		Client: seen{End: conformance.Refused},
		Server: seen{End: conformance.Absent},
	}
	late := refused
	late.Client.After = time.Second
	tooLate := refused
	tooLate.Client.After = 10 * time.Second
	silent := conformance.Outcome{Server: seen{End: conformance.Absent}}
	oneSide := conformance.Outcome{
		Client: seen{Bytes: 8 * kilo},
		Server: seen{End: conformance.Reset, Bytes: 100},
	}
	bothSides := oneSide
	bothSides.Client.End = conformance.Reset
	oneByte := oneSide
	oneByte.Client.Bytes++
	unable := conformance.Outcome{Unsupported: true}
	for _, test := range []struct {
		name           string
		memory, kernel conformance.Outcome
		wrong          []string // of which backends
		grade          string
	}{
		{"closed port, before the SYN", refused, refused, nil, "agree"},
		{"closed port, before the SYN", refused, late, nil, "agree"},
		{"closed port, before the SYN", late, refused, []string{"memory"}, "!"},
		{"closed port, before the SYN", refused, tooLate, []string{"kernel"}, "!"},
		{"closed port, before the SYN", refused, silent, []string{"kernel"}, "!"},
		{"closed port, before the SYN", silent, silent, []string{"memory", "kernel"}, "!"},
		{"closed port, before the SYN", refused, unable, []string{"kernel"}, "!"},
		{"reset, mid-stream, down", bothSides, oneSide, nil, "differs [1]"},
		{"reset, mid-stream, down", oneSide, oneSide, []string{"memory"}, "!"},
		{"reset, mid-stream, down", bothSides, oneByte, []string{"kernel"}, "!"},
		{"name listed, in the handshake", conformance.Outcome{
			Client: seen{End: conformance.Reset}, Server: seen{End: conformance.Reset},
		}, unable, nil, "not supported"},
		{"name listed, in the handshake", unable, unable, []string{"memory"}, "!"},
	} {
		r := played(t, test.name, test.memory, test.kernel)
		wrong := r.Wrong()
		if len(wrong) != len(test.wrong) {
			t.Errorf("%s: %q, want what is wrong of %q", test.name, wrong, test.wrong)
			continue
		}
		for n, backend := range test.wrong {
			if !strings.HasPrefix(wrong[n], test.name+", "+backend+": ") {
				t.Errorf("%s: %q, want something of %s", test.name, wrong[n], backend)
			}
		}
		var b strings.Builder
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if line := strings.Split(b.String(), "\n")[2]; !strings.HasSuffix(line, " "+test.grade) {
			t.Errorf("%s: %q, want it to end with %q", test.name, line, test.grade)
		}
	}
}

// The table has each trouble once at a moment, and a reason for each difference.
func TestTable(t *testing.T) {
	seen := make(map[string]bool)
	r := conformance.New(func(string) bool { return true })
	for _, p := range r.Cases {
		if seen[p.Case.Name()] {
			t.Errorf("%s is there twice", p.Case.Name())
		}
		seen[p.Case.Name()] = true
		if (p.Case.Memory == nil) != (p.Case.Because == "") {
			t.Errorf("%s: a difference without a reason, or a reason without one", p.Case.Name())
		}
	}
	for _, p := range r.Losses {
		if p.Case.Memory != p.Case.Kernel && p.Case.Because == "" {
			t.Errorf("%s: a difference without a reason", p.Case.Name())
		}
	}
}
