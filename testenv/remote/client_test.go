package remote_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/remote"
)

// TestWorld: a client is told what is where.
func TestWorld(t *testing.T) {
	r := newRig(t)
	e, err := r.Launch(t.Context(), remote.Launch{Cloud: "amazon", User: "u", Password: "p w"})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := r.Launch(t.Context(), remote.Launch{Cloud: "amazon", Bare: true, In: netip.MustParsePrefix("52.58.4.7/32")})
	if err != nil {
		t.Fatal(err)
	}
	if bare.Address != netip.MustParseAddr("52.58.4.7") || bare.Kind != remote.Bare || bare.URL != "" {
		t.Errorf("bare machine: %+v", bare)
	}
	if e.Kind != remote.Endpoint || e.URL != "socks5://u:p%20w@"+e.Address.String()+":1080" {
		t.Errorf("endpoint: %+v", e)
	}
	w, err := r.World(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w.Backend != "memory" || len(w.Clouds) != 1 || !slices.Equal(w.Clouds[0].Prefixes, []netip.Prefix{amazon}) {
		t.Errorf("%+v", w)
	}
	if len(w.ISPs) != 2 || w.ISPs[0].Name != "mts" || w.ISPs[0].Users != 7 || w.ISPs[0].Apply != "reset" || w.ISPs[0].Down {
		t.Errorf("ISPs %+v", w.ISPs)
	}
	site, err := r.world.Resolve(t.Context(), "site.lab")
	if err != nil {
		t.Fatal(err)
	}
	if want := []remote.Host{{Kind: remote.Destination, Address: site, Name: "site.lab"}, e, bare}; !slices.Equal(w.Hosts, want) {
		t.Errorf("hosts %+v, want %+v", w.Hosts, want)
	}
	if err := r.Release(t.Context(), bare.Address); err != nil {
		t.Error(err)
	}
	if w, err = r.World(t.Context()); err != nil || len(w.Hosts) != 2 {
		t.Errorf("after one was given back: %+v, %v", w.Hosts, err)
	}
}

// TestRules: rules come back as they were given, whatever is in them, and do
// what they say.
func TestRules(t *testing.T) {
	r := newRig(t)
	e, err := r.Launch(t.Context(), remote.Launch{Cloud: "amazon"})
	if err != nil {
		t.Fatal(err)
	}
	dial := func() error {
		c, err := r.mts().DialContext(t.Context(), "tcp", e.Address.String()+":1080")
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	from := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	rules := []remote.Rule{
		{Prefixes: []netip.Prefix{amazon}, Do: "reset"},
		{Ports: []uint16{443}, Names: []string{"example.org"}, Do: "freeze:16KiB,counting:down"},
		{Probability: 0.5, Direction: "up", From: from, Until: from.Add(time.Hour), Do: "police:8000B/s"},
		{Names: []string{"example.org"}, Do: "reset,lingering:10m0s,renewing"},
		{From: from, ExceptNames: []string{"example.com"}, Do: "freeze:25packets"},
		{Cycle: remote.Cycle{Start: from, Every: 86400, On: 86400}, Ports: []uint16{9}, Do: "drop"},
		{From: from, Do: "reject"},
		{From: from, Do: "drop"},
	}
	for n, rule := range rules {
		id, err := r.Add(t.Context(), "mts", rule)
		if err != nil {
			t.Fatalf("%+v: %v", rule, err)
		}
		rules[n].ID = id
	}
	same(t, r, rules)
	if err := dial(); err == nil {
		t.Error("a rule does nothing")
	}
	if other, err := r.Rules(t.Context(), "megafon"); err != nil || len(other) != 0 {
		t.Errorf("the other ISP has %+v, %v", other, err)
	}

	if err := r.Remove(t.Context(), "mts", rules[0].ID); err != nil {
		t.Fatal(err)
	}
	same(t, r, rules[1:])
	if err := dial(); err != nil {
		t.Errorf("a rule that was removed goes on: %v", err)
	}
	if err := r.Remove(t.Context(), "mts", rules[0].ID); status(err) != http.StatusNotFound {
		t.Errorf("removed twice: %v", err)
	}

	rules = rules[1:3]
	for n := range rules {
		rules[n].ID = 0
	}
	ids, err := r.Replace(t.Context(), "mts", rules)
	if err != nil || len(ids) != 2 {
		t.Fatalf("%v, %v", ids, err)
	}
	for n := range rules {
		rules[n].ID = ids[n]
	}
	same(t, r, rules)
	if _, err := r.Replace(t.Context(), "mts", nil); err != nil {
		t.Fatal(err)
	}
	same(t, r, nil)
}

// same compares what is in force at mts.
func same(t *testing.T, r *rig, want []remote.Rule) {
	t.Helper()
	got, err := r.Rules(t.Context(), "mts")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, func(a, b remote.Rule) bool {
		return a.ID == b.ID && slices.Equal(a.Prefixes, b.Prefixes) && slices.Equal(a.Ports, b.Ports) && slices.Equal(a.Names, b.Names) &&
			a.From.Equal(b.From) && a.Until.Equal(b.Until) && a.Probability == b.Probability && a.Direction == b.Direction && a.Do == b.Do &&
			slices.Equal(a.ExceptNames, b.ExceptNames) && a.Cycle == b.Cycle && a.Idle == b.From.After(time.Now())
	}) {
		t.Errorf("rules\n%+v want\n%+v", got, want)
	}
}

// status is the HTTP status of a refusal, or zero.
func status(err error) int {
	if e := (*remote.Error)(nil); errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// TestRegistry: what is listed is applied by all, and struck off as it was
// listed.
func TestRegistry(t *testing.T) {
	r := newRig(t)
	if err := r.Enter(t.Context(), remote.Registry{Block: []netip.Prefix{amazon}}); err != nil {
		t.Fatal(err)
	}
	if listed, err := r.Listed(t.Context()); err != nil || !slices.Equal(listed, []netip.Prefix{amazon}) {
		t.Errorf("%v, %v", listed, err)
	}
	rules, err := r.Rules(t.Context(), "mts")
	if err != nil || len(rules) != 1 || !rules[0].Registry || rules[0].Listed != 1 || rules[0].Do != "reset" || rules[0].Prefixes != nil {
		t.Fatalf("%+v, %v", rules, err)
	}
	if err := r.Remove(t.Context(), "mts", rules[0].ID); status(err) != http.StatusConflict {
		t.Errorf("the registry's rule was removed: %v", err)
	}
	part := netip.MustParsePrefix("52.58.0.0/16")
	if err := r.Enter(t.Context(), remote.Registry{Unblock: []netip.Prefix{part}}); status(err) != http.StatusNotFound {
		t.Errorf("a part of what is listed was struck off: %v", err)
	}
	if err := r.Enter(t.Context(), remote.Registry{Block: []netip.Prefix{part}, Unblock: []netip.Prefix{amazon}}); err != nil {
		t.Fatal(err)
	}
	if listed, err := r.Listed(t.Context()); err != nil || !slices.Equal(listed, []netip.Prefix{part}) {
		t.Errorf("%v, %v", listed, err)
	}
}

// TestCut takes an ISP down, and brings it back.
func TestCut(t *testing.T) {
	r := newRig(t)
	i := r.mts()
	if err := r.Cut(t.Context(), "mts"); err != nil || !i.Down() {
		t.Fatalf("%v, down %v", err, i.Down())
	}
	if err := r.Restore(t.Context(), "mts"); err != nil || i.Down() {
		t.Fatalf("%v, down %v", err, i.Down())
	}
	l, err := r.Ledger(t.Context())
	if err != nil || len(l.Outages) != 1 || l.Outages[0].ISP != "mts" || l.Outages[0].Until.IsZero() {
		t.Errorf("%+v, %v", l.Outages, err)
	}
}

// TestLedger: the ledger that a client gets is the world's.
func TestLedger(t *testing.T) {
	r := newRig(t)
	l, err := r.Ledger(t.Context())
	if err != nil || l.Paths == nil || l.Hits == nil || l.Directs == nil || l.Outages == nil || l.Burns == nil || l.Tenants == nil {
		t.Fatalf("at first %+v, %v", l, err)
	}
	e, err := r.Launch(t.Context(), remote.Launch{Cloud: "amazon"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.world.Clouds()[0].Tenant("game consoles", 3); err != nil {
		t.Fatal(err)
	}
	server := netip.AddrPortFrom(e.Address, 1080)
	c, err := r.mts().DialContext(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte{5, 1, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(t.Context(), "mts", remote.Rule{Prefixes: []netip.Prefix{amazon}, Do: "reset"}); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte{1})
	_, _ = io.Copy(io.Discard, c)
	_, _ = r.mts().Lookup(t.Context(), "site.lab")

	if l, err = r.Ledger(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := l.Path("mts", server)
	if p.Dials != 1 || p.Connections != 1 || p.Up != 3 || p.Down != 2 || p.Dropped == 0 || p.FirstDropped.IsZero() {
		t.Errorf("path %+v", p)
	}
	if p := l.Path("mts", netip.AddrPort{}); p.Dials != 0 {
		t.Errorf("a path where there is none: %+v", p)
	}
	if len(l.Hits) != 1 || l.Hits[0].Act != "forge" || l.Hits[0].Kind != "data" || !l.Hits[0].Established {
		t.Errorf("hits %+v", l.Hits)
	}
	if len(l.Directs) != 1 || l.Directs[0].Address != "site.lab" {
		t.Errorf("directs %+v", l.Directs)
	}
	if len(l.Burns) != 1 || l.Burns[0].Cause != "by prefix" || !l.Burns[0].Exposed {
		t.Errorf("burns %+v", l.Burns)
	}
	if l.Addresses != 1<<17 || l.AddressesAt["mts"] != 1<<17 || l.TenantsAt["mts"] != 1 || len(l.Tenants) != 1 || l.Tenants[0].Weight != 3 {
		t.Errorf("collateral %d %v %v %+v", l.Addresses, l.AddressesAt, l.TenantsAt, l.Tenants)
	}
}

// TestDown: a world ends if it is meant to be ended from outside.
func TestDown(t *testing.T) {
	r := newRig(t)
	if err := r.Down(t.Context()); status(err) != http.StatusForbidden {
		t.Errorf("%v", err)
	}
	asked := make(chan struct{})
	other := &remote.Server{World: r.world, Down: func() { close(asked) }}
	defer other.Close()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	serving := make(chan error)
	go func() { serving <- other.Serve(p) }()
	if err := remote.DialClient(p.dial).Down(t.Context()); err != nil {
		t.Error(err)
	}
	<-asked
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := <-serving; err != nil {
		t.Error(err)
	}
	if err := other.Serve(p); !errors.Is(err, testenv.ErrClosed) {
		t.Errorf("served again: %v", err)
	}
}

// TestRefusals: each mistake is answered by what to do.
func TestRefusals(t *testing.T) {
	r := newRig(t)
	rule := func(rule remote.Rule) func() error {
		return func() error { _, err := r.Add(t.Context(), "mts", rule); return err }
	}
	launch := func(l remote.Launch) func() error {
		return func() error { _, err := r.Launch(t.Context(), l); return err }
	}
	prefix := netip.MustParsePrefix
	for _, c := range []struct {
		name string
		do   func() error
		code int
		want string
	}{
		{"no such ISP", func() error { return r.Cut(t.Context(), "beeline") }, 404, `there is no ISP "beeline": there are mts, megafon`},
		{"an ISP's name with a slash", func() error { return r.Cut(t.Context(), "m/t") }, 404, `there is no ISP "m/t": there are mts, megafon`},
		{"no such cloud", launch(remote.Launch{Cloud: "google"}), 404, `there is no cloud "google": there is amazon`},
		{"not the cloud's", launch(remote.Launch{Cloud: "amazon", In: prefix("9.9.9.9/32")}), 409, "testenv: no free address: 9.9.9.9/32 is not in cloud amazon"},
		{"bare in a prefix", launch(remote.Launch{Cloud: "amazon", Bare: true, In: amazon}), 400, "in: a bare machine takes one address, like 52.58.0.0/32, or any"},
		{"bare with a password", launch(remote.Launch{Cloud: "amazon", Bare: true, User: "u"}), 400, "user, password and port are for endpoints: nothing runs on a bare machine"},
		{"half a login", launch(remote.Launch{Cloud: "amazon", User: "u"}), 400, "user and password: both, or neither"},
		{"no such machine", func() error { return r.Release(t.Context(), netip.MustParseAddr("52.58.0.1")) }, 404, "there is no machine at 52.58.0.1: launch one, or look where some are"},
		{"a destination", func() error {
			a, err := r.world.Resolve(t.Context(), "site.lab")
			return errors.Join(err, r.Release(t.Context(), a))
		}, 409, "site.lab is a destination: only machines of clouds can be given back"},

		{"what to do", rule(remote.Rule{}), 400, `do: must be one of drop, reset, reject, freeze:16KiB, freeze:25packets or police:64kbit/s, got ""`},
		{"bits beyond", rule(remote.Rule{Prefixes: []netip.Prefix{prefix("52.58.4.7/15")}, Do: "drop"}), 400, "prefixes: must have no bits beyond their length, got 52.58.4.7/15: write 52.58.0.0/15 or 52.58.4.7/32"},
		{"mapped", rule(remote.Rule{Prefixes: []netip.Prefix{prefix("::ffff:52.58.0.0/112")}, Do: "drop"}), 400, "prefixes: write ::ffff:52.58.0.0/112 as IPv4"},
		{"port 0", rule(remote.Rule{Ports: []uint16{0}, Do: "drop"}), 400, "ports: must be from 1 to 65535, got 0"},
		{"no name", rule(remote.Rule{Names: []string{"https://example.org"}, Do: "drop"}), 400, `names: must be host names like example.org, got "https://example.org"`},
		{"no share", rule(remote.Rule{Probability: 2, Do: "drop"}), 400, "probability: must be from 0 to 1, got 2"},
		{"no way", rule(remote.Rule{Direction: "left", Do: "drop"}), 400, `direction: must be up or down, or left out for both, got "left"`},
		{"over before it begins", rule(remote.Rule{From: time.Unix(2, 0), Until: time.Unix(1, 0), Do: "drop"}), 400, "until: must be after from"},
		{"on for longer than it lasts", rule(remote.Rule{Cycle: remote.Cycle{Every: 1, On: 2}, Do: "drop"}), 400, "cycle: must be on for on_seconds of every_seconds, at least a second and at most a year"},
		{"an ID", rule(remote.Rule{ID: 3, Do: "drop"}), 400, "id, registry, listed and idle are the world's to say: leave them out"},
		{"one of several", func() error {
			_, err := r.Replace(t.Context(), "mts", []remote.Rule{{Do: "drop"}, {Do: "reset:1"}})
			return err
		}, 400, `rules[1]: do: reset takes nothing after it, got "1"`},
		{"nothing to list", func() error { return r.Enter(t.Context(), remote.Registry{}) }, 400, "needs prefixes to block or to unblock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.do()
			if status(err) != c.code || err.Error() != c.want {
				t.Errorf("%d %v, want\n%d %s", status(err), err, c.code, c.want)
			}
		})
	}
	for _, i := range r.world.ISPs() {
		if i.Rules().Len() != 0 {
			t.Errorf("%s has rules of what was refused", i.Name())
		}
	}
}

// TestProgramsNeedAKernel: a world in memory says that it cannot run any.
func TestProgramsNeedAKernel(t *testing.T) {
	r := newRig(t)
	for body, want := range map[string]int{
		`{"isp":"mts","args":["true"]}`:                   501,
		`{"host":"site.lab","args":["true"]}`:             501,
		`{"isp":"mts","args":[]}`:                         400,
		`{"args":["true"]}`:                               400,
		`{"isp":"mts","host":"site.lab","args":["true"]}`: 400,
		`{"isp":"nowhere","args":["true"]}`:               404,
		`{"host":"nowhere.lab","args":["true"]}`:          404,
		`{"isp":"mts","args":["true"],"shell":true}`:      400,
	} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://world/v1/programs", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Connection", "Upgrade")
		q.Header.Set("Upgrade", "paperplane-program")
		if code, text := r.raw(t, q); code != want || !strings.Contains(text, `"error"`) {
			t.Errorf("%s: %d %s, want %d", body, code, text, want)
		}
	}
	_, err := r.Run(t.Context(), remote.Program{Place: remote.Place{ISP: "mts"}, Args: []string{"true"}}, os.Stdin, os.Stdout, os.Stderr, nil)
	if err == nil {
		t.Error("it ran")
	}
}

// TestUnsupported: what the world's backend cannot do is known as such.
func TestUnsupported(t *testing.T) {
	for status, want := range map[int]bool{501: true, 400: false} {
		if got := errors.Is(&remote.Error{Status: status}, errors.ErrUnsupported); got != want {
			t.Errorf("%d: %v", status, got)
		}
	}
}
