package stat

// Lifetimes are whole numbers of steps, of which some are known only to be longer
// than what was seen of them. The zero value is empty.
type Lifetimes struct{ ended, left []int }

// End adds a life that ended after so many steps.
func (l *Lifetimes) End(steps int) { count(&l.ended, steps) }

// Censor adds a life that had not ended after so many steps when it went out of
// sight.
func (l *Lifetimes) Censor(steps int) { count(&l.left, steps) }

func count(counts *[]int, i int) {
	for len(*counts) <= i {
		*counts = append(*counts, 0)
	}
	(*counts)[i]++
}

// Survivors is the share that lives longer than each number of steps from 0 on, to
// the last one at which anybody was in sight (Kaplan and Meier 1958). A life that goes
// out of sight at a step is taken to be longer than that step.
func (l *Lifetimes) Survivors() []float64 {
	at := 0
	for _, n := range l.ended {
		at += n
	}
	for _, n := range l.left {
		at += n
	}
	shares := make([]float64, max(len(l.ended), len(l.left)))
	share := 1.
	for i := range shares {
		if i < len(l.ended) && l.ended[i] > 0 {
			share *= 1 - float64(l.ended[i])/float64(at)
			at -= l.ended[i]
		}
		if i < len(l.left) {
			at -= l.left[i]
		}
		shares[i] = share
	}
	return shares
}

// Median is the first number of steps that no more than half survive, and whether
// there is one.
func (l *Lifetimes) Median() (int, bool) {
	for i, share := range l.Survivors() {
		if share <= .5 {
			return i, true
		}
	}
	return 0, false
}
