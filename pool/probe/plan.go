package probe

import "github.com/paperplane-relay/paperplane/pool/policy"

const (
	// budget is how many bytes an examination may take, with room to 256 KiB for
	// headers, handshakes and what is asked through others. It holds for all but one
	// flow that is looked at by itself, since flows of clients stop beyond it. Of what
	// is moved both ways usualLeast is left for a comparison.
	budget = 248 << 10
	// farthest is the size of that one at most.
	farthest = 384 << 10
)

// plan is what is to be moved: a number of bytes for each flow.
type plan struct{ downs, ups []int64 }

// planned is what a look asks for, within the budget. A look that is not doubtful
// makes one download. Else there are two flows each way, or four if one way alone is
// in question, half of them a quarter shorter; where flows are known to stop further
// out they are fewer, and none is so short that it would not come to that.
func planned(look policy.Look, size int64) plan {
	switch {
	case !look.Doubtful:
		return plan{downs: []int64{min(size, budget)}}
	case look.Upward:
		return plan{ups: side(size, budget)}
	case look.OneWay:
		return plan{downs: side(size, budget)}
	}
	half := side(size, (budget-usualLeast)/2)
	return plan{downs: half, ups: half}
}

// side is the sizes of the flows of one direction that may take so much together.
func side(size, room int64) []int64 {
	shorter := max(size*3/4, 1)
	if two := size + shorter; 2*two <= room {
		return []int64{size, shorter, size, shorter}
	} else if two <= room && size <= policy.DefaultSize {
		return []int64{size, shorter}
	}
	if shorter = size * 7 / 8; size+shorter <= room {
		return []int64{size, shorter}
	}
	if room < budget {
		return []int64{min(size, room)}
	}
	return []int64{min(size, farthest)}
}

// all is what is moved if all goes well, least is the shortest of the flows.
func (p plan) all() (all, least int64) {
	for _, sizes := range [][]int64{p.downs, p.ups} {
		for _, n := range sizes {
			all += n
			if least == 0 || n < least {
				least = n
			}
		}
	}
	return all, least
}
