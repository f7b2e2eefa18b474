package guest_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/guest"
)

// names is an ISP with a name server, and how a program there resolves.
func names(t *testing.T) (*testenv.World, *net.Resolver) {
	t.Helper()
	w := testenv.New(testenv.Config{Backend: testenv.Memory})
	isp := w.ISP("north", testenv.ISPConfig{})
	w.Destination("site.lab", testenv.DestinationConfig{})
	s, err := guest.ServeNames(isp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), w.Close()); err != nil {
			t.Error(err)
		}
	})
	return w, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return isp.DialContext(ctx, "tcp", "127.0.0.1:53")
	}}
}

func asked(w *testenv.World) map[string]bool {
	names := make(map[string]bool)
	for _, d := range w.Ledger().Directs {
		names[d.Address] = true
	}
	return names
}

// TestServeNames: a destination has an address, and asking for it is no secret.
func TestServeNames(t *testing.T) {
	w, r := names(t)
	if n := len(w.Ledger().Directs); n != 0 {
		t.Fatalf("%d directs before anybody asked", n)
	}
	addrs, err := r.LookupNetIP(t.Context(), "ip", "Site.Lab.")
	if err != nil || len(addrs) != 1 || !strings.HasPrefix(addrs[0].String(), "149.154.1") {
		t.Errorf("%v, %v", addrs, err)
	}
	if !asked(w)["Site.Lab"] {
		t.Errorf("the ledger has %v", w.Ledger().Directs)
	}
}

func TestUnknownName(t *testing.T) {
	w, r := names(t)
	_, err := r.LookupNetIP(t.Context(), "ip", "other.lab.")
	if dns := (*net.DNSError)(nil); !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("%v", err)
	}
	if !asked(w)["other.lab"] {
		t.Errorf("the ledger has %v", w.Ledger().Directs)
	}
	// A name that exists, and of what is asked has nothing.
	_, err = r.LookupMX(t.Context(), "site.lab.")
	if dns := (*net.DNSError)(nil); !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("%v", err)
	}
}

// TestHosts: a machine in a cloud knows destinations, and not other machines.
func TestHosts(t *testing.T) {
	w, _ := names(t)
	n := guest.Hosts(w)
	addr, err := w.Resolve(t.Context(), "site.lab")
	if err != nil {
		t.Fatal(err)
	}
	if want := addr.String() + " site.lab\n"; !strings.HasSuffix(n.Hosts, want) {
		t.Errorf("%q lacks %q", n.Hosts, want)
	}
	if strings.Contains(n.Resolver, "nameserver ") {
		t.Errorf("it has a name server: %q", n.Resolver)
	}
	if a := guest.Asking(); strings.Contains(a.Hosts, "site.lab") || !strings.Contains(a.Resolver, "nameserver 127.0.0.1\n") {
		t.Errorf("in an ISP: %+v", a)
	}
}
