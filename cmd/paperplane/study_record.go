package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/paperplane-relay/paperplane/testenv/study"
	"github.com/paperplane-relay/paperplane/testenv/study/figure"
)

// record is the directory that a study is kept in. Each seed has a file of its own from
// the moment it is done, so that whatever ends the program, none is lost; the files that
// people read are made of those.
type record struct {
	dir      string
	scenario study.Scenario
	manifest study.Manifest
	results  []study.Result
}

// The files of a record.
const (
	manifestFile = "manifest.json"
	summaryFile  = "summary.csv"
	seriesFile   = "series.csv"
	plotFile     = "connectivity.svg"
	runsDir      = "runs"
)

// errNoRecord means that a directory has no study in it.
var errNoRecord = errors.New("there is no study in it")

// createRecord makes the directory, which must be empty if there is one.
func createRecord(dir string, s study.Scenario, m study.Manifest) (*record, error) {
	switch have, err := readManifest(dir); {
	case err == nil:
		return nil, usagef("--out %s: has %d of %s of %s already: go on with it with --resume, or choose another",
			dir, have.Finished, count(have.Seeds.Count, "seed"), have.Scenario)
	case !errors.Is(err, errNoRecord):
		return nil, err
	}
	switch entries, err := os.ReadDir(dir); {
	case err == nil && len(entries) > 0:
		return nil, usagef("--out %s: is not empty, and there is no study in it: choose another", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, runsDir), 0o777); err != nil {
		return nil, err
	}
	r := &record{dir: dir, scenario: s, manifest: m}
	return r, r.writeManifest()
}

// readManifest says what is in a directory.
func readManifest(dir string) (m study.Manifest, err error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, errNoRecord
	}
	if err != nil {
		return m, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // as it was written
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, manifestFile), err)
	}
	return m, nil
}

// load reads the results that there are. What cannot be read is done again.
func (r *record) load() {
	for _, seed := range r.manifest.Seeds.List() {
		b, err := os.ReadFile(r.runFile(seed))
		if err != nil {
			continue
		}
		var result study.Result
		if json.Unmarshal(b, &result) == nil && result.Seed == seed {
			r.results = append(r.results, result)
		}
	}
	r.manifest.Finished = len(r.results)
}

// missing are the seeds that have not been done.
func (r *record) missing() (seeds []uint64) {
	done := make(map[uint64]bool)
	for _, result := range r.results {
		done[result.Seed] = true
	}
	for _, seed := range r.manifest.Seeds.List() {
		if !done[seed] {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

func (r *record) runFile(seed uint64) string {
	return filepath.Join(r.dir, runsDir, fmt.Sprintf("seed-%d.json", seed))
}

// add keeps a result.
func (r *record) add(result study.Result) error {
	b, err := json.Marshal(result)
	if err != nil {
		return err
	}
	r.results = append(r.results, result)
	r.manifest.Finished = len(r.results)
	return writeWhole(r.runFile(result.Seed), b)
}

// finish writes the files that people read.
func (r *record) finish() error {
	for name, write := range map[string]func(w io.Writer) error{
		summaryFile: func(w io.Writer) error { return r.scenario.WriteSummary(w, r.results) },
		seriesFile:  func(w io.Writer) error { return r.scenario.WriteSeries(w, r.results) },
		plotFile:    func(w io.Writer) error { return r.chart().WriteSVG(w) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		if err := writeWhole(filepath.Join(r.dir, name), b.Bytes()); err != nil {
			return err
		}
	}
	return r.writeManifest()
}

// chart is connectivity over time.
func (r *record) chart() figure.Bands {
	b := figure.Bands{
		Title:    r.scenario.Name,
		Subtitle: fmt.Sprintf("mean of %s, and the middle 90 %% of them", count(len(r.results), "seed")),
		X:        r.scenario.Axis.Name,
		Y:        "connected, or not blocked",
	}
	if changed := r.changed(); changed != "" {
		b.Subtitle = "with " + changed + "; " + b.Subtitle
	}
	for _, m := range r.scenario.Series {
		b.Series = append(b.Series, figure.Series{Name: cmp.Or(m.Label, m.Name), Band: r.scenario.Band(m.Name, r.results)})
	}
	return b
}

// changed are the settings that are not the scenario's own, as they would be set.
func (r *record) changed() string {
	var changed []string
	for _, name := range r.manifest.Changed {
		changed = append(changed, fmt.Sprintf("%s=%v", name, r.manifest.Settings[name]))
	}
	return strings.Join(changed, ", ")
}

func (r *record) writeManifest() error {
	if len(r.results) > 0 {
		for _, m := range r.scenario.Series {
			r.manifest.Points = max(r.manifest.Points, len(r.results[0].Series[m.Name]))
		}
	}
	b, err := json.MarshalIndent(r.manifest, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(r.dir, manifestFile), append(b, '\n'))
}

// writeWhole writes a file that is there as a whole or not at all.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
