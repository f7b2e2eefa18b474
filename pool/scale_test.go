package pool_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Of 64 active endpoints one is lost: its clients are with its heir, and nobody
// else has moved. Later choices stay in their order as well.
func TestOneOfManyIsReplaced(t *testing.T) {
	for _, name := range []string{"sticky", "least-latency"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := policy.SelectorByName(name)
				if err != nil {
					t.Fatal(err)
				}
				f := new(fake)
				p := running(t, pool.Config{Active: 64, Selector: s, Prober: f}, 80)
				cs := clients(3000)
				before := make(map[string][]string)
				for _, c := range cs {
					before[c] = offers(p, c)
				}
				lost := before[cs[0]][0]
				kill(t, p, f, lost, policy.Reset, policy.None)
				heir := ""
				moved := 0
				for _, c := range cs {
					after := offers(p, c)
					n := slices.Index(before[c], lost)
					if n < 0 || len(before[c]) != 64 || after[64] != lost {
						t.Fatalf("%s: 64 are active, %d were offered, and then %q", c, len(before[c]), after[64:])
					}
					if n == 0 {
						moved++
						heir = after[0]
					} else if after[0] != before[c][0] {
						t.Fatalf("%s went from %s to %s, though it is there", c, before[c][0], after[0])
					}
					if after[0] == heir && n != 0 {
						t.Errorf("%s is with the heir, and was not with the lost one", c)
					}
				}
				if moved < len(cs)/64/2 || moved > len(cs)/64*2 {
					t.Errorf("%d of %d clients moved, of 64 endpoints one was lost", moved, len(cs))
				}
			})
		})
	}
}

// offers is all that a fresh lease offers, in order.
func offers(p *pool.Pool, client string) []string {
	var names []string
	l := p.Lease(client)
	for e := l.Next(); e != nil; e = l.Next() {
		names = append(names, e.Name())
	}
	return names
}

// A lease that has been known for long offers what a fresh pool of the same
// endpoints would offer to a client that it has never seen.
func TestKnownClientsGetWhatNewOnesGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 64, Prober: new(fake)}, 64)
		fresh := running(t, pool.Config{Active: 64, Prober: new(fake)}, 64)
		cs := clients(40_000) // more than a pool remembers
		for range 2 {
			for _, c := range cs {
				first(p, c)
			}
		}
		for _, c := range cs[:2000] {
			if known, fresh := offers(p, c), offers(fresh, c); !slices.Equal(known, fresh) {
				t.Fatalf("%s: want %q, got %q", c, fresh, known)
			}
		}
	})
}

// last is a selector of somebody else: the highest slot comes first.
type last struct{}

func (last) Score(_ policy.Query, c policy.Candidate) float64 { return float64(c.Slot) }

// A selector of another package is asked like those that are built in, beyond
// the first few choices as well.
func TestOwnSelector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 200, Selector: last{}, Prober: new(fake)}, 200)
		slots := make(map[string]int)
		for _, r := range p.Endpoints() {
			slots[r.Name] = r.Slot
		}
		got := offers(p, "a")
		if len(got) != 200 {
			t.Fatalf("want 200 offers, got %d", len(got))
		}
		if slots[got[0]] != 199 {
			t.Errorf("want slot 199 first, got %d", slots[got[0]])
		}
		rest := slices.Delete(slices.Clone(got), 1, 2) // the second is far from the first
		for n := 1; n < len(rest); n++ {
			if slots[rest[n]] > slots[rest[n-1]] {
				t.Errorf("offer %d: slot %d after %d", n, slots[rest[n]], slots[rest[n-1]])
			}
		}
	})
}

// Nothing is allocated, whether the pool remembers the client, has forgotten it,
// or never saw it; nor where the selector draws anew for each request.
func TestManyLeasesDoNotAllocate(t *testing.T) {
	names := clients(40_000)
	for _, s := range policy.SelectorNames() {
		t.Run(s, func(t *testing.T) {
			p := liveWith(t, s, 64, 500)
			avoid := p.Endpoint(first(p, names[len(names)-1]))
			spans := []int{2000}
			if s == "sticky" {
				spans = append(spans, len(names)) // more than a pool remembers
			}
			for _, span := range spans {
				n := testing.AllocsPerRun(1, func() {
					for _, c := range names[:span] {
						l := p.Lease(c)
						for range 3 {
							if l.Next() == nil {
								t.Error("no choice left")
							}
						}
						three(t, p, c, avoid)
					}
				})
				if n > float64(span)/100 { // the pool's own loop allocates a little
					t.Errorf("%v allocations in %d leases", n, 2*span)
				}
			}
		})
	}
}

// liveWith is live with a selector.
func liveWith(t *testing.T, selector string, active, n int) *pool.Pool {
	t.Helper()
	s, err := policy.SelectorByName(selector)
	if err != nil {
		t.Fatal(err)
	}
	return liveOf(t, pool.Config{Active: active, Selector: s}, n)
}

// A client that was rotated stays so, however many others come.
func TestRotationOutlivesCrowds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 64, Prober: new(fake)}, 64)
		rotated := make(map[string]string)
		moved := 0
		for n := range 100 {
			c := fmt.Sprintf("rotated %d", n)
			before := first(p, c)
			p.Rotate(c)
			if rotated[c] = first(p, c); rotated[c] != before {
				moved++
			}
		}
		if moved < 90 {
			t.Errorf("a rotation moves %d of 100", moved)
		}
		for _, c := range clients(40_000) {
			first(p, c)
		}
		for c, e := range rotated {
			if got := first(p, c); got != e {
				t.Errorf("%s: want %s, got %s", c, e, got)
			}
		}
	})
}
