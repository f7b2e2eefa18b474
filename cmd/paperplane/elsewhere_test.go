package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// With others to look through, check tells blocked from down; without any it says
// that it cannot.
func TestCheckFromElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name   string
		lone   bool
		do     func(isp *testenv.ISP, suspect *testenv.Host)
		want   string
		viewed string
	}{
		{"dropped", false, func(isp *testenv.ISP, s *testenv.Host) { block(isp, s, blocker.Drop()) }, "blocked (dropped)", "up"},
		{"reset", false, func(isp *testenv.ISP, s *testenv.Host) { block(isp, s, blocker.Reset()) }, "blocked (reset)", "up"},
		{"rejected", false, func(isp *testenv.ISP, s *testenv.Host) { block(isp, s, blocker.Reject()) }, "blocked (rejected)", "up"},
		{"frozen", false, func(isp *testenv.ISP, s *testenv.Host) { block(isp, s, blocker.Freeze(16<<10)) }, "frozen", ""},
		{"frozen on the way up", false, func(isp *testenv.ISP, s *testenv.Host) {
			block(isp, s, blocker.Freeze(16<<10).Counting(blocker.Up))
		}, "frozen", ""},
		{"throttled", false, func(isp *testenv.ISP, s *testenv.Host) { block(isp, s, blocker.Police(8000)) }, "throttled", ""},
		{"process dead", false, func(_ *testenv.ISP, s *testenv.Host) { s.Stop() }, "down", "down"},
		{"host gone", false, func(_ *testenv.ISP, s *testenv.Host) { s.Vanish() }, "down", "down"},
		{"alone and dropped", true, func(isp *testenv.ISP, s *testenv.Host) { block(isp, s, blocker.Drop()) }, "unknown", ""},
		{"alone and gone", true, func(_ *testenv.ISP, s *testenv.Host) { s.Vanish() }, "unknown", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := testenv.New(testenv.Config{Seed: 1})
				defer func() {
					if err := world.Close(); err != nil {
						t.Error(err)
					}
				}()
				isp := world.ISP("north", testenv.ISPConfig{Latency: 20 * time.Millisecond})
				cloud := world.Cloud("amazon", testenv.CloudConfig{
					Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/15"), netip.MustParsePrefix("35.156.0.0/14")}, Latency: 20 * time.Millisecond,
				})
				launch := func(prefix string) *testenv.Host {
					h, err := cloud.Launch(testenv.EndpointConfig{User: "u", Password: "p", Prefix: netip.MustParsePrefix(prefix)})
					if err != nil {
						t.Fatal(err)
					}
					return h
				}
				suspect := launch("52.58.0.0/16")
				specs := []policy.Spec{suspect.Spec()}
				if !tc.lone {
					for _, prefix := range []string{"52.58.0.0/16", "52.59.0.0/16", "35.156.0.0/16", "35.157.0.0/16"} {
						specs = append(specs, launch(prefix).Spec())
					}
				}
				tc.do(isp, suspect)
				before := len(world.Ledger().Paths)
				if before != 0 {
					t.Fatal("something was shown before the check")
				}
				var stderr bytes.Buffer
				p := &program{stdout: &stderr, stderr: &stderr}
				o := &checkOptions{parallel: 4}
				findings := o.look(t.Context(), p, &probe.Prober{Upstream: &upstream.Dialer{Dial: isp.DialContext}}, specs)
				f := findings[0]
				if f.String() != tc.want || fromElsewhere(f.look.Views) != tc.viewed {
					t.Errorf("%s: %s, want %s; views %+v, %v", f.Conclusion, f.Why, tc.want, f.look.Views, f.look.Err)
				}
				for _, v := range f.look.Views {
					if strings.HasPrefix(v.Through, "52.58.") {
						t.Errorf("looked through the neighbour %s", v.Through)
					}
				}
				for _, other := range findings[1:] {
					if !other.alive() {
						t.Errorf("%s is %s: %s", other.spec.Name(), other.Conclusion, other.Why)
					}
				}
				// To look through others shows no address that was not to be looked at.
				if l := world.Ledger(); len(l.Paths) != len(specs) || len(l.Directs) != 0 {
					t.Errorf("shown: %+v, %+v", l.Paths, l.Directs)
				}
			})
		})
	}
}

func block(isp *testenv.ISP, h *testenv.Host, a blocker.Action) {
	r := blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.PrefixFrom(h.Addr(), 32)}}, Do: a}
	if _, err := isp.Add(r); err != nil {
		panic(err)
	}
}
