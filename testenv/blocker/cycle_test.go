package blocker_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestCycle(t *testing.T) {
	// On from 12:00 to 20:00 each day; switched on for the third time.
	c := blocker.Cycle{Start: at(48), Every: 24 * time.Hour, On: 8 * time.Hour}
	for _, test := range []struct {
		hour        int
		holds       bool
		next, turns int
	}{
		{-1, false, 0, 0},
		{0, true, 0, 8},
		{7, true, 7, 8},
		{8, false, 24, 24},
		{23, false, 24, 24},
		{24, true, 24, 32},
		{72, true, 72, 80},
		{81, false, 96, 96},
	} {
		now := at(test.hour)
		if got := c.Holds(now); got != test.holds {
			t.Errorf("hour %d: on is %v", test.hour, got)
		}
		if got := c.Next(now); !got.Equal(at(test.next)) {
			t.Errorf("hour %d: on next at %v", test.hour, got)
		}
		if got := c.Turns(now); !got.Equal(at(test.turns)) {
			t.Errorf("hour %d: turns at %v", test.hour, got)
		}
	}
	// Without a start it turns all the same.
	for hour, holds := range map[int]bool{0: true, 7: true, 8: false, 23: false, 24: true} {
		c := blocker.Cycle{Every: 24 * time.Hour, On: 8 * time.Hour}
		if now := time.Date(2018, 4, 16, hour, 0, 0, 0, time.UTC); c.Holds(now) != holds {
			t.Errorf("without a start, hour %d: on is %v", hour, !holds)
		}
	}
	for name, c := range map[string]blocker.Cycle{"the zero value": {}, "all day": {Every: time.Hour, On: time.Hour}} {
		if !c.Holds(epoch) || !c.Next(epoch).Equal(epoch) || !c.Turns(epoch).IsZero() {
			t.Errorf("%s is not always on", name)
		}
	}
	never := blocker.Cycle{Every: time.Hour}
	if never.Holds(epoch) || !never.Next(epoch).IsZero() || !never.Turns(epoch).IsZero() {
		t.Error("what is never on is on")
	}
}

// A rule with a schedule, on a flow that lives through it.
func TestRuleByDay(t *testing.T) {
	when := blocker.When{
		From: at(10), Until: at(60),
		Cycle: blocker.Cycle{Start: at(12), Every: 24 * time.Hour, On: 12 * time.Hour},
	}
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{When: when})
	flow := blocker.Flow{Client: client, Server: endpoint}
	for h := range 72 {
		want := blocker.Forward
		if h >= 12 && h < 24 || h >= 36 && h < 48 {
			want = blocker.Discard
		}
		got := flow.Decide(rules, nil, blocker.Packet{Dir: blocker.Up, Kind: blocker.Ack}, at(h))
		if got.Act != want {
			t.Errorf("hour %d: %v, want %v", h, got.Act, want)
		}
	}
	for h, want := range map[int]int{0: 12, 11: 12, 13: 13, 24: 36} {
		if got := when.FirstInForce(at(h)); !got.Equal(at(want)) {
			t.Errorf("from hour %d it is first in force at %v, want hour %d", h, got, want)
		}
	}
	if got := when.FirstInForce(at(48)); !got.IsZero() {
		t.Errorf("after its last turn it is in force at %v", got)
	}
}

// A rule leaves alone whoever shows a name that it excepts.
func TestExceptNames(t *testing.T) {
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{
		When: blocker.When{ExceptNames: []string{"Bank.example"}}, Do: blocker.Freeze(1000),
	})
	for name, want := range map[string]blocker.Act{
		"bank.example": blocker.Forward, "www.bank.example": blocker.Forward,
		"notbank.example": blocker.Discard, "": blocker.Discard,
	} {
		flow := blocker.Flow{Client: client, Server: endpoint}
		head := []byte("GET / HTTP/1.1\r\nHost: " + name + "\r\n\r\n")
		for _, s := range []struct {
			blocker.Packet
			want blocker.Act
		}{
			{blocker.Packet{Dir: blocker.Up}, blocker.Forward},
			{blocker.Packet{Dir: blocker.Up, Kind: blocker.Data, Size: len(head), Payload: head}, blocker.Forward},
			{blocker.Packet{Dir: blocker.Down, Kind: blocker.Data, Size: 1 << 20}, want},
		} {
			if d := flow.Decide(rules, nil, s.Packet, epoch); d.Act != s.want {
				t.Errorf("name %q: %v of %d bytes: %v, want %v", name, s.Kind, s.Size, d.Act, s.want)
			}
		}
		// Another rule of the same kind, later: names seen before count.
		more, _ := rules.With(blocker.Rule{When: blocker.When{ExceptNames: []string{"bank.example"}}})
		if d := flow.Decide(more, nil, blocker.Packet{Dir: blocker.Down, Kind: blocker.Data, Size: 1}, epoch); d.Act != want {
			t.Errorf("name %q: under one rule more: %v, want %v", name, d.Act, want)
		}
	}
}

// What lingers strikes whom it has struck, whatever names they show next.
func TestExceptNamesWithinAWindow(t *testing.T) {
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{
		When: blocker.When{Names: []string{"example"}, ExceptNames: []string{"bank.example"}},
		Do:   blocker.Reset().Lingering(time.Minute),
	})
	var residue blocker.Residue
	for i, want := range []blocker.Act{blocker.Forward, blocker.Forge, blocker.Forge} {
		flow := blocker.Flow{Client: client, Server: endpoint}
		name := []string{"bank.example", "other.example", "bank.example"}[i]
		head := []byte("GET / HTTP/1.1\r\nHost: " + name + "\r\n\r\n")
		p := blocker.Packet{Dir: blocker.Up, Kind: blocker.Data, Size: len(head), Payload: head}
		if d := flow.Decide(rules, &residue, p, epoch); d.Act != want {
			t.Errorf("flow %d, to %s: %v, want %v", i, name, d.Act, want)
		}
	}
}
