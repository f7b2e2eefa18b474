package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// finding is what check has to say about one endpoint.
type finding struct {
	spec policy.Spec
	look policy.Examination
	policy.Conclusion
}

func conclude(s policy.Spec, x policy.Examination) finding {
	return finding{spec: s, look: x, Conclusion: policy.Conclude(x)}
}

func (f finding) alive() bool { return f.Verdict == policy.Alive }

func (o *checkOptions) print(p *program, findings []finding) error {
	if o.json {
		return printJSON(p.stdout, findings)
	}
	return printTable(p.stdout, findings)
}

// findingJSON is a finding as scripts see it. Names carry their units, and stay
// as they are once released. What was not measured is null.
type findingJSON struct {
	Endpoint   string   `json:"endpoint"`
	Address    string   `json:"address"`
	Provider   string   `json:"provider"`
	Region     string   `json:"region"`
	Verdict    string   `json:"verdict"`
	Cause      *string  `json:"cause"`
	Confidence float64  `json:"confidence"`
	Why        string   `json:"why"`
	RTT        *float64 `json:"rtt_ms"`
	Rate       *float64 `json:"rate_bytes_per_second"`
	Bytes      int64    `json:"downloaded_bytes"`
	Took       float64  `json:"took_ms"`
}

func printJSON(w io.Writer, findings []finding) error {
	var document struct {
		Alive     int           `json:"alive"`
		Endpoints []findingJSON `json:"endpoints"`
	}
	for _, f := range findings {
		if f.alive() {
			document.Alive++
		}
		document.Endpoints = append(document.Endpoints, findingJSON{
			Endpoint: f.spec.Name(), Address: f.spec.Address(), Provider: f.spec.Provider, Region: f.spec.Region,
			Verdict: f.Verdict.String(), Cause: cause(f.Conclusion), Confidence: f.Confidence, Why: f.Why,
			RTT: known(ms(f.look.RTT)), Rate: known(math.Round(f.look.Down.Rate)), Bytes: f.look.Down.Bytes,
			Took: ms(f.look.At.Sub(f.look.Asked)),
		})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// cause is in what way it fails, nil if it does not.
func cause(c policy.Conclusion) *string {
	if c.Cause == policy.None {
		return nil
	}
	return new(c.Cause.String())
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// known is nil for a measurement that was not made.
func known(v float64) *float64 {
	if v <= 0 {
		return nil
	}
	return &v
}

// printTable prints a line for each finding and one that sums them up. The
// sentence comes last: it is the only column of any length.
func printTable(w io.Writer, findings []finding) error {
	t := table{right: []int{2, 3}, rows: [][]cell{{{text: "ENDPOINT"}, {text: "VERDICT"}, {text: "ROUND TRIP"}, {text: "RATE"}, {text: "WHY"}}}}
	alive := 0
	for _, f := range findings {
		if f.alive() {
			alive++
		}
		t.rows = append(t.rows, []cell{
			{text: f.spec.Name()},
			{text: f.String(), colour: colourOf(f.Verdict)},
			{text: dash(roundTrip(f.look.RTT))},
			{text: dash(rate(f.look.Down.Rate))},
			{text: f.Why},
		})
	}
	if err := t.print(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d of %s alive\n", alive, count(len(findings), "endpoint"))
	return err
}

func colourOf(v policy.Verdict) string {
	switch v {
	case policy.Alive:
		return green
	case policy.Unknown, policy.Throttled:
		return yellow
	default:
		return red
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
