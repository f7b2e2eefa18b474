package study

import "runtime"

// Manifest says what a study was of: all that is needed to do it again.
type Manifest struct {
	// Version is the program's.
	Version  string `json:"version"`
	Scenario string `json:"scenario"`
	// Settings are all of them, as they were; Changed are the names of those that are
	// not the scenario's own, Assumptions of those that nobody has published or
	// measured.
	Settings    map[string]any `json:"settings"`
	Changed     []string       `json:"changed"`
	Assumptions []string       `json:"assumptions"`
	// Seeds are those that were asked for, Finished how many of them are done.
	Seeds    Seeds  `json:"seeds"`
	Finished int    `json:"finished"`
	GOARCH   string `json:"goarch"`
	GOOS     string `json:"goos"`
	Go       string `json:"go"`
	// Points is how long the series are: steps, for a world that has them. Workers
	// have no influence on results. WallSeconds is the time that the runs have taken,
	// over all sittings.
	Points      int     `json:"points"`
	Workers     int     `json:"workers"`
	WallSeconds float64 `json:"wall_seconds"`
}

// Seeds are the numbers from First on.
type Seeds struct {
	First uint64 `json:"first"`
	Count int    `json:"count"`
}

// List are the seeds one by one.
func (s Seeds) List() []uint64 {
	list := make([]uint64, s.Count)
	for i := range list {
		list[i] = s.First + uint64(i)
	}
	return list
}

// Describe is the manifest of a world that has not been run yet.
func (s Scenario) Describe(w World, version string, seeds Seeds) Manifest {
	m := Manifest{
		Version: version, Scenario: s.Name, Settings: w.Settings().Values(), Changed: []string{}, Assumptions: []string{}, Seeds: seeds,
		GOARCH: runtime.GOARCH, GOOS: runtime.GOOS, Go: runtime.Version(),
	}
	own := s.New().Settings()
	for i, have := range w.Settings() {
		if have.String() != own[i].String() {
			m.Changed = append(m.Changed, have.Name)
		}
		if have.Assumption {
			m.Assumptions = append(m.Assumptions, have.Name)
		}
	}
	return m
}
