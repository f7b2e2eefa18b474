package policy

import "time"

// hush is a pause in which a kind of evidence raises no suspicion, after it has done
// so in error: the longer, the more often that was. The zero value is none.
type hush struct {
	until  time.Time
	length time.Duration
}

// begin begins one, between least and most long.
func (h *hush) begin(now time.Time, least, most time.Duration) {
	if now.Sub(h.until) > most {
		h.length = 0 // the last false alarm was long ago
	}
	h.length = min(max(2*h.length, least), most)
	h.until = now.Add(h.length)
}
