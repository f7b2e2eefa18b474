//go:build linux

package kernel_test

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// block is so many addresses that no two have as neighbours.
func block(n byte, count int) (all []netip.Prefix) {
	for i := range count {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{n, byte(i >> 15), byte(i >> 7), byte(i << 1)}), 32))
	}
	return all
}

func prefix(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }

func listing(set *blocker.PrefixSet) blocker.Rule {
	return blocker.Rule{When: blocker.When{Set: set}, Do: blocker.Reset()}
}

// An address that is listed before a change of the rules and after it is listed
// all the time.
func TestAChangeLetsNothingThrough(t *testing.T) {
	base := blocker.NewPrefixSet(prefix("52.58.1.0/24")...)
	for name, change := range map[string]func(*world){
		"long lists are replaced": func(w *world) {
			for range 10 {
				w.rules(listing(base.With(block(11, 50_000)...)))
			}
		},
		"a small list overflows": func(w *world) {
			for range 10 {
				set, id := (*blocker.RuleSet)(nil).With(listing(base))
				for _, count := range []int{0, 4000, 4100, 16_000, 18_000} {
					set = set.Revised(id, listing(base.With(block(11, count)...)))
					w.do(w.isp.Rules(set))
				}
			}
		},
		"a block is taken for another": func(w *world) {
			long := base.With(block(11, 20_000)...)
			set, id := (*blocker.RuleSet)(nil).With(listing(long))
			w.do(w.isp.Rules(set))
			for range 10 {
				for _, p := range []string{"52.58.0.0/16", "52.58.0.0/15", "52.58.1.0/25", "52.58.1.2/32"} {
					set = set.Revised(id, listing(long.Without(prefix("52.58.1.0/24")...).With(prefix(p)...)))
					w.do(w.isp.Rules(set))
				}
				set = set.Revised(id, listing(long))
				w.do(w.isp.Rules(set))
			}
		},
		"half of a long list goes": func(w *world) {
			for range 3 {
				set, id := (*blocker.RuleSet)(nil).With(listing(base.With(block(11, 50_000)...)))
				w.do(w.isp.Rules(set))
				w.do(w.isp.Rules(set.Revised(id, listing(base.With(block(11, 20_000)...)))))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.serve(w.host(serverAddr), 443, echo)
			w.rules(listing(base))
			var done atomic.Bool
			var dialling sync.WaitGroup
			for range 2 {
				dialling.Go(func() {
					for n := 0; !done.Load() || n == 0; n++ {
						if err := w.tries(server, patience); !errors.Is(err, syscall.ECONNREFUSED) {
							t.Errorf("dial %d: %v", n, err)
						}
					}
				})
			}
			change(w)
			done.Store(true)
			dialling.Wait()
		})
	}
}

// Whatever fails, either the old rules are in force or the new ones, and the next
// change finds all as it should be.
func TestAChangeThatFails(t *testing.T) {
	w := newWorld(t)
	var at []netip.AddrPort
	for _, a := range []string{"52.58.0.1", "52.58.0.2", "52.58.0.3", "52.58.0.4"} {
		at = append(at, netip.AddrPortFrom(netip.MustParseAddr(a), 443))
		w.serve(w.host(at[len(at)-1].Addr()), 443, echo)
	}
	const kept, gone, came, other = 0, 1, 2, 3
	refused := func(n int) bool { return errors.Is(w.tries(at[n], patience), syscall.ECONNREFUSED) }
	list := func(first byte, count int, n ...int) blocker.Rule {
		set := blocker.NewPrefixSet(block(first, count)...)
		for _, n := range n {
			set = set.With(netip.PrefixFrom(at[n].Addr(), 32))
		}
		return listing(set)
	}
	failure := errors.New("no")
	for name, size := range map[string]struct{ before, after int }{
		"small": {0, 1}, "large": {6000, 6001}, "overflow": {10, 6000}, "many transactions": {10, 120_000},
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			before, id := (*blocker.RuleSet)(nil).With(list(11, size.before, kept, gone))
			after := before.Revised(id, list(11, size.after, kept, came))
			after, _ = after.With(list(12, 1, other))
			for n := 1; ; n++ {
				w.do(w.isp.Rules(before))
				failed := w.isp.FailCommit(n, failure)
				err := w.isp.Rules(after)
				if !failed() {
					w.do(err)
					if n < 3 {
						t.Errorf("%d transactions", n)
					}
					break
				}
				if !errors.Is(err, failure) {
					t.Errorf("transaction %d fails: %v", n, err)
				}
				if !refused(kept) || refused(came) != refused(other) || !refused(came) && !refused(gone) {
					t.Errorf("transaction %d: neither as before nor as after", n)
				}
				w.do(w.isp.Rules(after))
				if !refused(kept) || !refused(came) || !refused(other) || refused(gone) {
					t.Errorf("transaction %d: once more, and not as it should be", n)
				}
			}
			w.rules()
			for n := range at {
				if refused(n) {
					t.Errorf("%v is refused without rules", at[n])
				}
			}
		})
	}
}
