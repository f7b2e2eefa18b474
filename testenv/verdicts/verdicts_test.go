package verdicts_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/verdicts"
)

// How the table is run on purpose: see the target verdicts of the Makefile.
var (
	runs   = flag.Int("seeds", 0, "seeds of each truth at each level of loss; 0 leaves the table alone")
	hours  = flag.Float64("hours", 0, "endpoint-hours of each kind of long run, in which nothing is wrong with any, at each level of loss")
	judged = flag.Bool("judged", false, "use the seeds to judge by, not those to develop with")
	first  = flag.Uint64("first", 0, "how many seeds to pass over")
	truths = flag.String("truths", "", "regular expression that chooses truths")
	limit  = flag.Duration("limit", 0, "begin no run after this time; 0 is no limit")
	out    = flag.String("out", "", "directory for verdicts.txt, verdicts.svg and wrong.txt")
)

// job is one run to be made.
type job struct {
	c    verdicts.Case
	loss float64
	seed uint64
	long bool
}

// TestVerdicts runs the table, and writes what came of it.
func TestVerdicts(t *testing.T) {
	if *runs == 0 && *hours == 0 {
		return
	}
	if *judged {
		*first += verdicts.FirstJudgedSeed
	} else {
		*first += verdicts.FirstDevelopmentSeed
	}
	choice := regexp.MustCompile(*truths)
	var cases []verdicts.Case
	for _, c := range verdicts.Cases() {
		if choice.MatchString(c.Truth) {
			cases = append(cases, c)
		}
	}
	m := verdicts.NewMatrix(cases)
	began := time.Now()
	made := play(t, m, jobs(cases), began)
	t.Logf("%d runs in %v", made, time.Since(began).Round(time.Second))
	if *out != "" {
		write(t, "verdicts.txt", func(f *os.File) error { return m.WriteText(f) })
		write(t, "wrong.txt", func(f *os.File) error { return m.WriteWrong(f) })
		write(t, "verdicts.svg", func(f *os.File) error { return m.WriteSVG(f) })
	}
}

// perLong is how many endpoint-hours a long run makes: two of eight endpoints.
const perLong = 16

// jobs are all runs to be made. Seeds come in the outer loop, so that all cells
// have about as many if time runs out.
func jobs(cases []verdicts.Case) <-chan job {
	queue := make(chan job)
	go func() {
		defer close(queue)
		long := int(math.Ceil(*hours / perLong))
		for n := range max(*runs, long) {
			for _, c := range verdicts.Long() {
				for _, loss := range verdicts.Levels() {
					if n < long {
						queue <- job{c: c, loss: loss, seed: *first + uint64(n), long: true}
					}
				}
			}
			if n >= *runs {
				continue
			}
			for _, c := range cases {
				for _, loss := range verdicts.Levels() {
					queue <- job{c: c, loss: loss, seed: *first + uint64(n)}
				}
			}
		}
	}()
	return queue
}

// play makes the runs, as many at once as there are processors.
func play(t *testing.T, m *verdicts.Matrix, queue <-chan job, began time.Time) (made int) {
	var mu sync.Mutex
	t.Run("runs", func(t *testing.T) {
		for n := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				for j := range queue {
					if *limit > 0 && time.Since(began) > *limit {
						continue
					}
					r := once(t, j)
					mu.Lock()
					if made++; made%1000 == 0 {
						fmt.Fprintf(os.Stderr, "%d runs after %v\n", made, time.Since(began).Round(time.Second))
					}
					if j.long {
						m.AddLong(r)
					} else {
						m.Add(r)
					}
					mu.Unlock()
				}
			})
		}
	})
	return made
}

// once makes one run, in a bubble of its own.
func once(t *testing.T, j job) (r verdicts.Run) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = verdicts.Play(&j.c, j.loss, j.seed); err != nil {
			t.Errorf("%s, loss %g, seed %d: %v", j.c.Truth, j.loss, j.seed, err)
		}
	})
	return r
}

func write(t *testing.T, name string, to func(*os.File) error) {
	t.Helper()
	if err := os.MkdirAll(*out, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(*out, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := to(f); err != nil {
		t.Error(err)
	}
}
