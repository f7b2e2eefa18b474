package conformance

import (
	"sync"

	"github.com/paperplane-relay/paperplane/testenv"
)

const (
	// crowd is how many worlds of a kernel there are at once. Most wait for most
	// of the time.
	crowd = 64
	// again is how many times what came late is played once more, alone.
	again = 2
)

// New is a report of what chosen says by its name, in which nothing has been played
// yet.
func New(chosen func(name string) bool) *Report {
	r := new(Report)
	for _, c := range cases() {
		if chosen(c.Name()) {
			r.Cases = append(r.Cases, Played{Case: c})
		}
	}
	for _, c := range errorCases() {
		if chosen(c.Name) {
			r.Errors = append(r.Errors, PlayedErrors{Case: c})
		}
	}
	for _, c := range flowCases() {
		if chosen(c.Name) {
			r.Flows = append(r.Flows, PlayedFlow{Case: c})
		}
	}
	for _, c := range lossCases() {
		if chosen(c.Name()) {
			r.Losses = append(r.Losses, PlayedLosses{Case: c})
		}
	}
	return r
}

// Play plays everything on a backend. In memory, alone is called around each
// case, to put it in a bubble of its own; it must return when what it is given
// has. On a kernel cases are played at the same time, many of them. It returns
// what could not be played, by its name.
func (r *Report) Play(on testenv.Backend, alone func(func())) map[string]error {
	jobs := r.jobs(on)
	failed := make(map[string]error)
	if on != testenv.Kernel {
		for _, j := range jobs {
			alone(func() { failed[j.name] = j.play() })
		}
		return failed
	}
	var (
		mu      sync.Mutex
		playing sync.WaitGroup
	)
	places := make(chan struct{}, crowd)
	for _, j := range jobs {
		if j.alone {
			continue
		}
		places <- struct{}{}
		playing.Go(func() {
			defer func() { <-places }()
			err := j.play()
			mu.Lock()
			defer mu.Unlock()
			failed[j.name] = err
		})
	}
	playing.Wait()
	for _, j := range jobs {
		if j.alone {
			failed[j.name] = j.play()
		}
	}
	for range again {
		for _, j := range jobs {
			if j.late != nil && j.late() {
				failed[j.name] = j.play()
			}
		}
	}
	return failed
}

// job is something to be played.
type job struct {
	name string
	play func() error
	// late reports whether it is to be played again, alone, since it may be the
	// busy machine that made things late.
	late func() bool
	// alone is for what measures time.
	alone bool
}

func (r *Report) jobs(on testenv.Backend) (jobs []job) {
	for n := range r.Cases {
		p := &r.Cases[n]
		result := pick(on, &p.Memory, &p.Kernel)
		jobs = append(jobs, job{
			name: p.Case.Name(),
			play: func() error {
				o, err := p.Case.play(on)
				*result = &o
				return err
			},
			late: func() bool { return *result != nil && p.Case.late(**result) },
		})
	}
	for n := range r.Errors {
		p := &r.Errors[n]
		result := pick(on, &p.Memory, &p.Kernel)
		jobs = append(jobs, job{
			name: p.Case.Name,
			play: func() (err error) {
				*result, err = p.Case.play(on)
				return err
			},
			late: func() bool { return *result != nil && p.Case.differs(*result) != "" },
		})
	}
	for n := range r.Flows {
		p := &r.Flows[n]
		result := pick(on, &p.Memory, &p.Kernel)
		jobs = append(jobs, job{
			name: p.Case.Name,
			play: func() error {
				f, err := p.Case.play(on)
				*result = &f
				return err
			},
			late: func() bool { return *result != nil && p.Case.differs(**result) != "" },
		})
	}
	for n := range r.Losses {
		p := &r.Losses[n]
		result := pick(on, &p.Memory, &p.Kernel)
		jobs = append(jobs, job{
			name: p.Case.Name(), alone: true,
			play: func() (err error) {
				*result, err = p.Case.play(on)
				return err
			},
			late: func() bool { return *result != nil && p.Case.late(*result) },
		})
	}
	return jobs
}

func pick[T any](on testenv.Backend, memory, kernel *T) *T {
	if on == testenv.Kernel {
		return kernel
	}
	return memory
}
