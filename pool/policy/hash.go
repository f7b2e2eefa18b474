package policy

// Hash is FNV-1a with a final avalanche (the finaliser of splitmix64, Steele,
// Lea and Flood 2014), so that similar names land far apart. It is stable
// across runs and machines: a client keeps its slot over a restart.
func Hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return Mix(h)
}

// Mix scrambles 64 bits (splitmix64): equal inputs give equal outputs, and near
// ones outputs that have nothing in common.
func Mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// unit maps 64 random bits to (0, 1).
func unit(h uint64) float64 { return (float64(h>>12) + .5) / (1 << 52) }
