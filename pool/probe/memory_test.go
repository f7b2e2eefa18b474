package probe

import (
	"fmt"
	"testing"
	"time"
)

// What nobody examines any more is forgotten; what is examined, though without
// an answer, is not.
func TestMemoryForgets(t *testing.T) {
	var m memory
	now := time.Date(2018, 4, 16, 17, 0, 0, 0, time.UTC)
	m.update("stays", now, func(e *trace) { e.served = true })
	most := 0
	for n := range 100_000 {
		now = now.Add(time.Second)
		m.update(fmt.Sprintf("endpoint %d", n), now, func(e *trace) { e.rtt = time.Millisecond })
		if n%600 == 0 {
			m.touch("stays", now)
			m.touch("never answered", now)
		}
		most = max(most, len(m.endpoints))
	}
	if hour := int(keep / time.Second); most > 2*(hour+2) || most < hour {
		t.Errorf("want the endpoints of an hour, %d, and at most twice as many, got %d", hour, most)
	}
	if !m.trace("stays").served {
		t.Error("an endpoint was forgotten that is examined every 10 minutes")
	}
	if got := m.trace("endpoint 99999").rtt; got != time.Millisecond {
		t.Errorf("the newest has a round trip of %s", got)
	}
}

// A target that is dead gathers no list of all endpoints.
func TestMemoryOfADeadTarget(t *testing.T) {
	var m memory
	now := time.Date(2018, 4, 16, 17, 0, 0, 0, time.UTC)
	target := Target{Host: "site.lab", Port: 80}
	for n := range 1000 {
		held := m.failed(target, fmt.Sprintf("endpoint %d", n), true, now)
		if want := n < 2; held != want {
			t.Errorf("failure %d: want it held against the endpoint: %t, got %t", n, want, held)
		}
	}
	if n := len(m.targets[target].failed); n > 3 {
		t.Errorf("%d failures are remembered", n)
	}
}
