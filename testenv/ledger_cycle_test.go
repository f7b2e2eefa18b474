package testenv_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// A rule that holds by day burns what is launched at night when the day comes;
// what is launched by day is born blocked.
func TestBurnsByDay(t *testing.T) {
	t.Parallel()
	worldtest.Needs(t, worldtest.Hours)
	worldtest.Run(t, func(t *testing.T) {
		w := testenv.New(testenv.Config{})
		isp := w.ISP("north", testenv.ISPConfig{})
		cloud := w.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{amazon}})
		now := time.Now()
		if _, err := isp.Add(blocker.Rule{When: blocker.When{
			Prefixes: []netip.Prefix{amazon},
			Cycle:    blocker.Cycle{Start: now.Add(8 * time.Hour), Every: 24 * time.Hour, On: 12 * time.Hour},
		}}); err != nil {
			t.Fatal(err)
		}
		launch := func() *testenv.Host {
			h, err := cloud.Launch(testenv.EndpointConfig{})
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		night := launch()
		time.Sleep(time.Hour)
		if l := w.Ledger(); len(l.Burns) != 0 || l.Addresses != 0 {
			t.Errorf("at night: %d addresses blocked, burnt %v", l.Addresses, l.Burns)
		}
		gone := launch()
		gone.Release()
		time.Sleep(8 * time.Hour)
		day := launch()
		burns := w.Ledger().Burns
		if len(burns) != 2 {
			t.Fatalf("burnt: %v", burns)
		}
		for i, want := range []testenv.Burn{
			{At: now.Add(8 * time.Hour), Endpoint: netip.AddrPortFrom(night.Addr(), 1080), ISP: "north", Cause: testenv.ByPrefix},
			{At: now.Add(9 * time.Hour), Endpoint: netip.AddrPortFrom(day.Addr(), 1080), ISP: "north", Cause: testenv.BornBlocked},
		} {
			if burns[i] != want {
				t.Errorf("burn %d: %+v, want %+v", i, burns[i], want)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTenantIn(t *testing.T) {
	w := testenv.New(testenv.Config{})
	defer w.Close()
	cloud := w.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{amazon}})
	part := netip.MustParsePrefix("52.59.7.0/30")
	for range 4 {
		if tenant, err := cloud.TenantIn(part, "calls", 1); err != nil || !part.Contains(tenant.Addr) {
			t.Errorf("%+v, %v", tenant, err)
		}
	}
	if _, err := cloud.TenantIn(part, "calls", 1); err == nil {
		t.Error("five tenants at four addresses")
	}
	if len(cloud.Tenants()) != 4 {
		t.Errorf("%d tenants", len(cloud.Tenants()))
	}
}
