package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
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
// as they are once released. Rates and times that were not measured are null.
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
	UpRate     *float64 `json:"upload_rate_bytes_per_second"`
	UpBytes    int64    `json:"uploaded_bytes"`
	Tries      int      `json:"handshakes"`
	Failures   int      `json:"failed_handshakes"`
	Egress     *string  `json:"reaches_another"`
	// Views is what others saw of it; empty if none were asked.
	Views []viewJSON `json:"views"`
	Took  float64    `json:"took_ms"`
}

// viewJSON is what an endpoint looked like through another.
type viewJSON struct {
	Through string `json:"through"`
	// Control is how the control fared that was asked for through the same
	// endpoint, Suspect how this one did.
	Control string   `json:"control"`
	Suspect string   `json:"suspect"`
	Reply   *float64 `json:"reply"`
	Shows   string   `json:"shows"` // up, down, or no view
	Took    float64  `json:"took_ms"`
}

func viewsJSON(views []policy.View) []viewJSON {
	out := []viewJSON{}
	for _, v := range views {
		out = append(out, viewJSON{
			Through: v.Through, Control: v.Control.String(), Suspect: v.Suspect.String(),
			Reply: known(float64(v.Reply)), Shows: shows(v.Sight()), Took: ms(v.At.Sub(v.Asked)),
		})
	}
	return out
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
			Verdict: f.Verdict.String(), Cause: outcome(f.Cause), Confidence: f.Confidence, Why: f.Why,
			RTT: known(ms(f.look.RTT)), Rate: known(math.Round(f.look.Down.Rate)), Bytes: f.look.Down.Bytes,
			UpRate: known(math.Round(f.look.Up.Rate)), UpBytes: f.look.Up.Bytes,
			Tries: f.look.Tries, Failures: f.look.Failures, Egress: outcome(f.look.Egress), Views: viewsJSON(f.look.Views),
			Took: ms(f.look.At.Sub(f.look.Asked)),
		})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// outcome is nil for what was not seen.
func outcome(o policy.Outcome) *string {
	if o == policy.None {
		return nil
	}
	return new(o.String())
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
// sentence comes last: it is the only column of any length. What others saw is
// shown if any were asked.
func printTable(w io.Writer, findings []finding) error {
	t := table{right: []int{2, 3}, rows: [][]cell{{{text: "ENDPOINT"}, {text: "VERDICT"}, {text: "ROUND TRIP"}, {text: "RATE"}, {text: "ELSEWHERE"}, {text: "WHY"}}}}
	alive, viewed := 0, false
	for _, f := range findings {
		if f.alive() {
			alive++
		}
		t.rows = append(t.rows, []cell{
			{text: f.spec.Name()},
			{text: f.String(), colour: colourOf(f.Verdict)},
			{text: dash(roundTrip(f.look.RTT))},
			{text: dash(rate(f.look.Down.Rate))},
			{text: dash(fromElsewhere(f.look.Views))},
			{text: f.Why},
		})
		viewed = viewed || len(f.look.Views) > 0
	}
	if !viewed {
		for i, row := range t.rows {
			t.rows[i] = slices.Delete(row, 4, 5)
		}
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
