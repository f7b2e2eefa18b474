package policy

// MaxRank is how many candidates [Rank] puts in order at most.
const MaxRank = 8

// Rank puts the slots of the highest scores in order, the best first; of equal
// scores the lower slot is before the other. It looks at those of the candidates
// that are in among, cs[n] being the one of slot n, fills order, of which it
// uses MaxRank elements at most, and returns how many it has filled. It asks for
// each score at most once and allocates nothing.
func Rank(s Selector, q Query, cs []Candidate, among SlotSet, order []uint8) int {
	if len(order) == 0 {
		return 0
	}
	top := ranking{order: order[:min(len(order), MaxRank)]}
	switch s {
	case Sticky:
		top.rendezvous(q.key(), cs, among)
	case Random:
		top.rendezvous(q.Draw, cs, among)
	default:
		for slot := range among.All {
			top.insert(slot, s.Score(q, cs[slot]))
		}
	}
	return top.n
}

// ranking is the best slots so far.
type ranking struct {
	order  []uint8
	scores [MaxRank]float64
	n      int
}

func (t *ranking) insert(slot int, score float64) {
	at := t.n
	switch {
	case t.n < len(t.order):
		t.n++
	case score <= t.scores[at-1]:
		return
	default:
		at--
	}
	for ; at > 0 && score > t.scores[at-1]; at-- {
		t.order[at], t.scores[at] = t.order[at-1], t.scores[at-1]
	}
	t.order[at], t.scores[at] = uint8(slot), score
}

// rendezvous inserts the slots by their rendezvous score, -w/ln(u). As -ln(u) is
// at least 1-u, most of those that are not among the best are found out without
// a logarithm.
func (t *ranking) rendezvous(key uint64, cs []Candidate, among SlotSet) {
	const rounding = 1 - 1e-12 // of the logarithm and the division
	for slot := range among.All {
		u := unit(Mix(key ^ slotKeys[slot]))
		if t.n == len(t.order) && float64(cs[slot].Share) < (1-u)*t.scores[t.n-1]*rounding {
			continue
		}
		t.insert(slot, weighted(u, cs[slot].Share))
	}
}

// slotKeys is slotKey for each slot.
var slotKeys = func() (keys [256]uint64) {
	for n := range keys {
		keys[n] = slotKey(n)
	}
	return keys
}()
