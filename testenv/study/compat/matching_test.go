package compat

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
)

// textbook is deferred acceptance as it is taught: everybody has a list of all others
// in the order of preference, and goes down it.
func textbook(d *dynamic) map[int32]int32 {
	var users []int32
	for u := range d.members {
		if d.backlog.has(d.members, int32(u)) {
			users = append(users, int32(u))
		}
	}
	distance := func(u, p int32) float64 { return math.Abs(d.location[u] - d.proxies[p].location) }
	worth := func(u, p int32) float64 {
		return d.backlog.values[d.members[u].class-1] - d.Weights.Distance*distance(u, p)
	}
	appeal := func(u, p int32) float64 {
		return (d.Weights.Known+d.Weights.Connected)*float64(d.proxies[p].users) - d.Weights.Away*distance(u, p)
	}
	lists := make(map[int32][]int32)
	for _, u := range users {
		list := slices.Clone(d.open)
		slices.SortFunc(list, func(a, b int32) int {
			if appeal(u, a) > appeal(u, b) {
				return -1
			}
			return 1
		})
		lists[u] = list
	}
	taken := make(map[int32][]int32)
	for len(users) > 0 {
		u := users[0]
		users = users[1:]
		if len(lists[u]) == 0 {
			continue
		}
		p := lists[u][0]
		lists[u] = lists[u][1:]
		in := append(taken[p], u)
		slices.SortFunc(in, func(a, b int32) int {
			if worth(a, p) > worth(b, p) {
				return -1
			}
			return 1
		})
		if len(in) > int(d.proxies[p].room) {
			users = append(users, in[len(in)-1])
			in = in[:len(in)-1]
		}
		taken[p] = in
	}
	matched := make(map[int32]int32)
	for p, us := range taken {
		for _, u := range us {
			matched[u] = p
		}
	}
	return matched
}

func TestMatchingIsDeferredAcceptance(t *testing.T) {
	key := draw.For(1, "matchings")
	for n := range uint64(2000) {
		s := key.At(n, 0)
		d := &dynamic{World: Dynamic(Strict)}
		// Distances that matter as much as values, and ones that do not.
		d.Weights.Distance, d.Weights.Away = float64(1+s.Below(30)), float64(1+s.Below(30))
		d.Capacity = 1 + s.Below(5)
		for range 1 + s.Below(8) {
			d.proxies = append(d.proxies, proxy{location: s.Unit(), users: int32(s.Below(4)), room: int32(1 + s.Below(4)), holders: never})
			d.open = append(d.open, int32(len(d.open)))
		}
		for u := range int32(s.Below(40)) {
			d.agent = append(d.agent, false)
			d.location = append(d.location, s.Unit())
			d.members = append(d.members, member{})
			d.backlog.add(d.members, u, float64(-s.Below(10)))
		}
		want := textbook(d)
		d.matching.run(d)
		got := make(map[int32]int32)
		for p := range d.open {
			for _, x := range d.matching.seats[p].taken {
				got[x.user] = int32(p)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("instance %d: %v, want %v", n, got, want)
		}
	}
}

// The backlog is held against a plain list.
func TestBacklog(t *testing.T) {
	s := draw.For(1, "backlog").At(0, 0)
	var b backlog
	members := make([]member, 200)
	plain := make(map[int32]float64)
	for range 20_000 {
		u := int32(s.Below(len(members)))
		if _, waits := plain[u]; waits {
			b.remove(members, u)
			delete(plain, u)
		} else {
			v := float64(s.Below(12)) / 3
			b.add(members, u, v)
			plain[u] = v
		}
		if _, waits := plain[u]; b.has(members, u) != waits {
			t.Fatalf("user %d", u)
		}
	}
	last := math.Inf(1)
	n := 0
	for _, c := range b.classes {
		if b.values[c] >= last {
			t.Errorf("class %g comes after %g", b.values[c], last)
		}
		last = b.values[c]
		for _, u := range b.users[c] {
			n++
			if v, ok := plain[u]; !ok || v != last {
				t.Errorf("user %d is in class %g, want %g", u, last, v)
			}
		}
	}
	if n != len(plain) {
		t.Errorf("%d users, want %d", n, len(plain))
	}
	below := 0
	b.eachBelow(2, func(u int32, v float64) {
		if v >= 2 || plain[u] != v {
			t.Errorf("user %d of %g is below 2", u, v)
		}
		below++
		b.remove(members, u)
		delete(plain, u)
	})
	for _, v := range plain {
		if v < 2 {
			t.Errorf("a user of %g was left out", v)
		}
	}
	if below == 0 {
		t.Error("nobody is below 2")
	}
}
