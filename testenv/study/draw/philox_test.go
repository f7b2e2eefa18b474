package draw

import "testing"

// TestPhilox holds the function to the vectors that its authors have published with
// it (Random123, kat_vectors, philox2x64 with 10 rounds).
func TestPhilox(t *testing.T) {
	for _, c := range []struct{ c0, c1, key, x, y uint64 }{
		{0, 0, 0, 0xca00a0459843d731, 0x66c24222c9a845b5},
		{1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 0x65b021d60cd8310f, 0x4d02f3222f86df20},
		{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x0a5e742c2997341c, 0xb0f883d38000de5d},
	} {
		if x, y := philox(c.key, c.c0, c.c1); x != c.x || y != c.y {
			t.Errorf("philox(%#x, %#x, %#x) = %#x, %#x; want %#x, %#x", c.key, c.c0, c.c1, x, y, c.x, c.y)
		}
	}
}
