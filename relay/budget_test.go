package relay

import "testing"

func TestBudgetIsATenthOfRequestsAndTenInABurst(t *testing.T) {
	b := newBudget()
	spend := func() (n int) {
		for b.spend() {
			n++
		}
		return n
	}
	if n := spend(); n != 10 {
		t.Errorf("a burst of %d, want 10", n)
	}
	for range 35 {
		b.earn()
	}
	if n := spend(); n != 3 {
		t.Errorf("%d hedges for 35 requests, want 3", n)
	}
	for range 1000 {
		b.earn()
	}
	if n := spend(); n != 10 {
		t.Errorf("a saved burst of %d, want 10", n)
	}
}
