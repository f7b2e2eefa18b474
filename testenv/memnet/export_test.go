package memnet

// Fate says of segment after segment of a connection whether it is lost.
func Fate(l Loss, seed uint64) (lost func(train int64) []bool) {
	of := newLosses(l, seed)
	k := &luck{draws: draws{seed: seed}}
	return func(train int64) []bool {
		all := make([]bool, train)
		for n := int64(0); n < train; n++ {
			if n += k.pass(of, train-n, 0); n < train {
				all[n] = true
			}
		}
		return all
	}
}
