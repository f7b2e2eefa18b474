package draw

// Shuffle puts n things in random order, by swaps of two (Fisher and Yates). It
// panics if n is negative.
func (s *Stream) Shuffle(n int, swap func(i, j int)) {
	if n < 0 {
		panic("draw: Shuffle needs a number of things")
	}
	for i := n - 1; i > 0; i-- {
		swap(i, s.Below(i+1))
	}
}

// Choose fills into with different whole numbers from 0 to n-1, without
// replacement; every order of every choice is equally likely. It panics if there
// are not as many.
//
// It takes a time in the order of k² for k numbers, or of n where that is less.
func (s *Stream) Choose(into []int, n int) {
	k := len(into)
	switch {
	case k > n:
		panic("draw: Choose needs at least as many to choose from")
	case k < 32 || k < n/k:
		s.chooseFew(into, n)
	default:
		s.chooseMany(into, n)
	}
	s.Shuffle(k, func(i, j int) { into[i], into[j] = into[j], into[i] })
}

// chooseFew is Floyd's algorithm (Bentley: Programming pearls: a sample of
// brilliance, 1987).
func (s *Stream) chooseFew(into []int, n int) {
	chosen := into[:0]
next:
	for last := n - len(into); last < n; last++ {
		candidate := s.Below(last + 1)
		for _, c := range chosen {
			if c == candidate {
				chosen = append(chosen, last)
				continue next
			}
		}
		chosen = append(chosen, candidate)
	}
}

// chooseMany is selection sampling (Knuth, The Art of Computer Programming, 3.4.2,
// algorithm S).
func (s *Stream) chooseMany(into []int, n int) {
	filled := 0
	for candidate := 0; filled < len(into); candidate++ {
		if s.Below(n-candidate) < len(into)-filled {
			into[filled] = candidate
			filled++
		}
	}
}
