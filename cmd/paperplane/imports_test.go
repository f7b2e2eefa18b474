package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/paperplane-relay/paperplane"

// importRules say what a package must not link in, be it through others. A path
// that starts with a slash is one of this module's; one that ends with /... means
// everything below as well.
var importRules = []struct {
	packages []string
	but      []string // of them
	only     []string // if set, nothing but this and the standard library
	never    []string
	why      string
}{
	{
		packages: []string{"/pool/policy", "/testenv/blocker"},
		only:     []string{},
		why:      "the pure cores decide from values alone, in every world and for a million clients",
	},
	{
		packages: []string{"/pool"},
		only: []string{
			"/pool/policy", "github.com/hashicorp/go-memdb", "github.com/hashicorp/go-immutable-radix",
			"github.com/hashicorp/golang-lru/...",
		},
		why: "the pool knows what was seen, not how to look: it declares the Prober that it needs",
	},
	{
		packages: []string{"/pool/upstream", "/pool/probe"},
		never:    []string{"/pool", "/relay/...", "/testenv/...", "github.com/hashicorp/..."},
		why:      "dialling and examining serve the pool through values, and work without one",
	},
	{
		packages: []string{"/relay"},
		never:    []string{"/relay/exit", "/testenv/..."},
		why:      "the relay never dials a destination itself, whatever fails, so it does not hold the code that could",
	},
	{
		packages: []string{"/relay/exit"},
		never:    []string{"/relay", "/pool", "/testenv/...", "github.com/hashicorp/..."},
		why:      "an endpoint on a cloud machine is small: it needs no pool",
	},
	{
		packages: []string{"/testenv", "/testenv/memnet", "/testenv/kernel", "/testenv/scenario"},
		never:    []string{"/relay", "/pool", "github.com/hashicorp/..."},
		why:      "the world is for anybody's tests, and judges by its own ledger, not by the pool's opinion",
	},
	{
		packages: []string{"/testenv/study/..."},
		never:    []string{"/relay/...", "/pool", "/pool/upstream", "/pool/probe", "/testenv", "/testenv/memnet", "github.com/hashicorp/..."},
		why:      "a simulated world has the pure cores and no network",
	},
	{
		packages: []string{"/cmd/paperplane", "/testenv/lab", "/testenv/bench"},
		never:    []string{"/testenv/verdicts", "/testenv/conformance"},
		why:      "what is judged by is no part of what is judged",
	},
	{
		packages: []string{"/pool/...", "/relay/...", "/testenv/..."},
		never:    []string{"/cmd/...", "github.com/spf13/...", "golang.org/x/term"},
		why:      "flags, files and terminals are known only to the program",
	},
	{
		packages: []string{"/pool/...", "/relay/...", "/testenv/...", "/cmd/paperplane"},
		but:      []string{"/testenv/worldtest"},
		never:    []string{"testing", "/testenv/worldtest"},
		why:      "what is linked into a program registers no test flags",
	},
}

func TestImports(t *testing.T) {
	deps := dependencies(t)
	for _, rule := range importRules {
		for _, pattern := range rule.packages {
			matched := false
			for path, links := range deps {
				if !within(path, []string{pattern}) || within(path, rule.but) {
					continue
				}
				matched = true
				for dep, standard := range links {
					switch {
					case within(dep, rule.never):
						t.Errorf("%s links in %s: %s", path, dep, rule.why)
					case rule.only != nil && !standard && !within(dep, rule.only):
						t.Errorf("%s links in %s, and may only have %v: %s", path, dep, rule.only, rule.why)
					}
				}
			}
			if !matched {
				t.Errorf("the rule for %s is about no package", pattern)
			}
		}
	}
}

// dependencies asks the go command what each package of this module links in,
// and whether that is of the standard library.
func dependencies(t *testing.T) map[string]map[string]bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Deps,Standard", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	type listed struct {
		ImportPath string
		Deps       []string
		Standard   bool
	}
	var all []listed
	standard := make(map[string]bool)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		standard[p.ImportPath] = p.Standard
	}
	deps := make(map[string]map[string]bool)
	for _, p := range all {
		if !strings.HasPrefix(p.ImportPath, module+"/") {
			continue
		}
		links := make(map[string]bool)
		for _, d := range p.Deps {
			links[d] = standard[d]
		}
		deps[p.ImportPath] = links
	}
	return deps
}

// within reports whether path is one of the patterns or below one of them.
func within(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if strings.HasPrefix(pattern, "/") {
			pattern = module + pattern
		}
		root, below := strings.CutSuffix(pattern, "/...")
		return path == root || below && strings.HasPrefix(path, root+"/")
	})
}
