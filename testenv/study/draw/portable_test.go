package draw_test

import (
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
)

// TestGolden holds every variate to its bits, on whatever machine this runs.
func TestGolden(t *testing.T) {
	h := fnv.New64a()
	add := func(x uint64) {
		var b [8]byte
		for i := range b {
			b[i] = byte(x >> (8 * i))
		}
		h.Write(b[:])
	}
	key := draw.For(42, "golden")
	var into [50]int
	for i := range uint64(20_000) {
		s := key.At(i, 7)
		for _, f := range []float64{s.Unit(), s.Exponential(), s.Normal()} {
			add(math.Float64bits(f))
		}
		for _, n := range []int{
			s.Below(1000), s.Failures(.01), s.Failures(.3),
			s.Poisson(4), s.Poisson(40), s.Poisson(4e6), s.Binomial(20, .2), s.Binomial(1e6, .3),
		} {
			add(uint64(n))
		}
		if i%100 == 0 {
			for _, n := range []int{60, 1e6} {
				s.Choose(into[:], n)
				for _, c := range into {
					add(uint64(c))
				}
			}
		}
	}
	if got, want := h.Sum64(), uint64(0x7bc4b759e606429a); got != want {
		t.Errorf("the draws are not what they were: %#x, want %#x", got, want)
	}
}

// TestNothingIsFused reads what the compiler makes for machines that can multiply
// and add in one step: it must not, since others cannot.
func TestNothingIsFused(t *testing.T) {
	fused := regexp.MustCompile(`\t(V?FN?M(ADD|SUB)\w*|WFM[AS]\w*)\t.*`)
	for _, arch := range []string{"arm64", "ppc64le", "s390x", "riscv64", "loong64"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-S", ".")
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", arch, err, out)
		}
		if len(out) < 10_000 {
			t.Fatalf("%s: no assembly to read:\n%s", arch, out)
		}
		if found := fused.Find(out); found != nil {
			t.Errorf("%s: %s", arch, found)
		}
	}
}
