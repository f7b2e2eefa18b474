package testenv_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// TestInventory: a world tells of all that is in it.
func TestInventory(t *testing.T) {
	w := testenv.New(testenv.Config{Backend: testenv.Memory})
	defer w.Close()
	prefix := netip.MustParsePrefix("52.58.0.0/15")
	c := w.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{prefix}})
	i := w.ISP("north", testenv.ISPConfig{Lag: time.Hour, Apply: blocker.Reset()})
	d := w.Destination("site.lab", testenv.DestinationConfig{})
	e, err := c.Launch(testenv.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := c.Host(netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Hosts(); !slices.Equal(got, []*testenv.Host{d, e, bare}) {
		t.Errorf("hosts %v", got)
	}
	bare.Vanish()
	e.Release()
	if got := w.Hosts(); !slices.Equal(got, []*testenv.Host{d, bare}) {
		t.Errorf("hosts after one was released: %v", got)
	}
	if !slices.Equal(w.ISPs(), []*testenv.ISP{i}) || !slices.Equal(w.Clouds(), []*testenv.Cloud{c}) {
		t.Errorf("ISPs %v, clouds %v", w.ISPs(), w.Clouds())
	}
	if !slices.Equal(c.Prefixes(), []netip.Prefix{prefix}) || e.Cloud() != c || d.Cloud() != nil || !e.Endpoint() || bare.Endpoint() {
		t.Error("who is where is told wrong")
	}
	if i.Lag() != time.Hour || i.Apply() != blocker.Reset() {
		t.Errorf("lag %v, apply %v", i.Lag(), i.Apply())
	}
	i.Cut()
	down := i.Down()
	i.Restore()
	if !down || i.Down() {
		t.Error("whether it is cut off is told wrong")
	}
}

// TestListed: the rule that applies the registry is known as such.
func TestListed(t *testing.T) {
	w := testenv.New(testenv.Config{Backend: testenv.Memory})
	defer w.Close()
	i := w.ISP("north", testenv.ISPConfig{})
	own, err := i.Add(blocker.Rule{Do: blocker.Freeze(1)})
	if err != nil {
		t.Fatal(err)
	}
	if id := i.Listed(); id != 0 {
		t.Errorf("rule %d before anything is listed", id)
	}
	w.Block(netip.MustParsePrefix("52.58.0.0/15"))
	var all []blocker.RuleID
	for id := range i.Rules().All() {
		all = append(all, id)
	}
	if id := i.Listed(); !slices.Equal(all, []blocker.RuleID{own, id}) {
		t.Errorf("rules %v, of which %d applies the registry", all, id)
	}
	for range i.Rules().All() {
		break // the iterator can be left
	}
}

// TestLookup: who asks the network for a name has shown it, also if there is
// none.
func TestLookup(t *testing.T) {
	w := testenv.New(testenv.Config{Backend: testenv.Memory})
	defer w.Close()
	i := w.ISP("north", testenv.ISPConfig{})
	d := w.Destination("site.lab", testenv.DestinationConfig{})
	if addr, err := i.Lookup(t.Context(), "site.lab"); err != nil || addr != d.Addr() {
		t.Errorf("%v, %v", addr, err)
	}
	if _, err := i.Lookup(t.Context(), "other.lab"); err == nil {
		t.Error("a name that does not exist was resolved")
	}
	var names []string
	for _, d := range w.Ledger().Directs {
		names = append(names, d.Address)
	}
	if !slices.Equal(names, []string{"site.lab", "other.lab"}) {
		t.Errorf("the ledger has %v", names)
	}
}
