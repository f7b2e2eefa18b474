package main

import (
	"context"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

const (
	// mostViewers is through how many others check looks at an endpoint that is
	// not well.
	mostViewers = 2
	// compareSize is how much is downloaded to compare a slow path with another: on
	// long paths the first 64 KiB show how a transfer starts, and not how it goes.
	compareSize = 256 << 10
)

// elsewhere looks once more at those that did not come out alive, or slow, with the
// help of those that did: through up to two of them, with a third as a control. To
// be looked through shows none of them to anybody new.
func (o *checkOptions) elsewhere(ctx context.Context, p *program, with examiner, specs []policy.Spec, findings []finding) {
	var live, unwell []int
	for i, f := range findings {
		if f.alive() && !slow(f.look) {
			live = append(live, i)
		} else if f.look.Greeting != policy.None && f.look.Greeting != policy.Local {
			unwell = append(unwell, i)
		}
	}
	if len(live) == 0 {
		return
	}
	first := slices.Clone(findings)
	o.pass(ctx, p, unwell, findings, func(i int) finding {
		others := helpers(specs, live, i)
		look := policy.Look{Depth: policy.Carry, Doubtful: true, Patience: handshake, Views: viewpoints(others), Egress: &others[0]}
		if x := first[i].look; slow(x) {
			look.Size, look.OneWay = compareSize, !slowed(x.Up, x)
		}
		return conclude(specs[i], with.Probe(ctx, specs[i], look))
	})
}

// helpers orders the live endpoints by how well they are suited to look at i: those
// in other neighbourhoods first, since a blocker may have taken both. Where there
// are such, no others are among them.
func helpers(specs []policy.Spec, live []int, i int) []policy.Spec {
	var far, near []policy.Spec
	for n := range live {
		j := live[(i+n)%len(live)] // not always the same ones
		switch {
		case j == i:
		case policy.Neighbourhood(specs[j].Addr) != policy.Neighbourhood(specs[i].Addr):
			far = append(far, specs[j])
		default:
			near = append(near, specs[j])
		}
	}
	if len(far) > 0 {
		return far
	}
	return near
}

// viewpoints has each of the first two look, with a third as its control; or one
// the other, if there is none.
func viewpoints(others []policy.Spec) (vs []policy.Viewpoint) {
	for n := range min(len(others), mostViewers) {
		v := policy.Viewpoint{Viewer: others[n]}
		switch {
		case len(others) > mostViewers:
			v.Control = others[mostViewers]
		case len(others) == mostViewers:
			v.Control = others[1-n]
		}
		vs = append(vs, v)
	}
	return vs
}

// slow is whether one direction was so slow that it must be compared with what
// another endpoint carries.
func slow(x policy.Examination) bool { return slowed(x.Down, x) || slowed(x.Up, x) }

func slowed(p policy.Passage, x policy.Examination) bool {
	switch p.Outcome {
	case policy.Slowed:
		return true
	case policy.Answered:
		// Very near, it is machines that are the limit, and not the path.
		return p.Rate < policy.Allowed(max(p.Bytes, policy.DefaultSize), max(x.RTT, 5*time.Millisecond), x.Loss)/4
	default:
		return false
	}
}

// fromElsewhere is what the views have shown, in a word; empty if there were none.
func fromElsewhere(views []policy.View) string {
	if len(views) == 0 {
		return ""
	}
	return shows(policy.Seen(views))
}

func shows(s policy.Sight) string {
	switch s {
	case policy.SeenUp:
		return "up"
	case policy.SeenDown:
		return "down"
	default:
		return "no view"
	}
}
