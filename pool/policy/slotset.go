package policy

import "math/bits"

// SlotSet is a set of slots, of which there are 256 at most ([Limits]). The zero
// value is empty.
type SlotSet [4]uint64

// Add puts a slot in.
func (s *SlotSet) Add(slot int) { s[slot>>6&3] |= 1 << (slot & 63) }

// Has says whether a slot is in.
func (s *SlotSet) Has(slot int) bool { return s[slot>>6&3]>>(slot&63)&1 != 0 }

// Empty says whether none is in.
func (s *SlotSet) Empty() bool { return s[0]|s[1]|s[2]|s[3] == 0 }

// Or is the slots that are in s or in t.
func (s SlotSet) Or(t SlotSet) SlotSet {
	return SlotSet{s[0] | t[0], s[1] | t[1], s[2] | t[2], s[3] | t[3]}
}

// Without is the slots that are in s and not in t.
func (s SlotSet) Without(t SlotSet) SlotSet {
	return SlotSet{s[0] &^ t[0], s[1] &^ t[1], s[2] &^ t[2], s[3] &^ t[3]}
}

// All ranges over the slots in the set, in ascending order.
func (s SlotSet) All(yield func(int) bool) {
	for w, left := range s {
		for ; left != 0; left &= left - 1 {
			if !yield(w<<6 | bits.TrailingZeros64(left)) {
				return
			}
		}
	}
}
