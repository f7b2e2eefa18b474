package pump

// Spot is a place in a [Lot]: one connection that is waited for without a
// goroutine. Its resume function is called once, on a goroutine of its own,
// when there is something to read, an end, or an error, or when Wake is called,
// whichever is first.
type Spot struct {
	lot    *Lot
	resume func()
	token  uint64
}

// Wake has the spot resume now. It does nothing if it has resumed.
func (s *Spot) Wake() { s.lot.resume(s.token) }
