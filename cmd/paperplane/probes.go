package main

import (
	"strings"

	"github.com/paperplane-relay/paperplane/pool/probe"
)

// probeTargets is the flag that names what to fetch through an endpoint; every
// use adds one.
type probeTargets struct{ targets []probe.Target }

func (p *probeTargets) String() string { return "" }
func (p *probeTargets) Type() string   { return "URL" }

func (p *probeTargets) Set(s string) error {
	t, err := probe.ParseTarget(s)
	if err != nil {
		return trimmed{err, "probe target "}
	}
	p.targets = append(p.targets, t)
	return nil
}

// trimmed is an error without the words that the flag's name says already.
type trimmed struct {
	err   error
	words string
}

func (e trimmed) Error() string { return strings.TrimPrefix(e.err.Error(), e.words) }
func (e trimmed) Unwrap() error { return e.err }
