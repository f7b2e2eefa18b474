package lab

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// text says what has happened, in a few words.
func text(a scenario.Act, d scenario.Deed) string {
	switch {
	case a.Rule != nil:
		return ruleText(a)
	case a.Entry != nil:
		return cmp.Or(a.Entry.Note, entryText(a.Entry, d))
	case a.Event != nil && a.Over:
		return strings.Join(overText(a.Event, d), "; ")
	case a.Event != nil:
		return cmp.Or(a.Event.Note, strings.Join(eventText(a.Event, d), "; "))
	case a.Eviction != nil:
		return fmt.Sprintf("%s takes back %s", a.Eviction.Cloud, count(len(d.Released), "endpoint"))
	}
	return strategyText(d)
}

// helps reports whether an act helps the clients.
func helps(a scenario.Act) bool {
	switch {
	case a.Rule != nil:
		return a.Over
	case a.Entry != nil:
		return a.Entry.Hunt == 0 && len(a.Entry.Block) == 0
	case a.Event != nil:
		return a.Over || len(a.Event.Launch) > 0
	}
	return len(a.Orders) > 0 && !slices.ContainsFunc(a.Orders, func(c blocker.Change) bool { return !c.Lift })
}

func ruleText(a scenario.Act) string {
	w, do := a.Rule.When, verb(a.Rule.Do)
	who := "blocker"
	if a.ISP != "" {
		who += " at " + a.ISP
	}
	var what string
	switch {
	case len(w.Prefixes) > 0:
		what = prefixes(w.Prefixes)
	case len(w.ExceptPrefixes) > 0 && a.Over:
		what = "everything"
	case len(w.ExceptPrefixes) > 0:
		what = "all but " + prefixes(w.ExceptPrefixes)
	case len(w.Names) > 0:
		what = list(w.Names[:min(len(w.Names), 3)])
	case len(w.Ports) == 1:
		what = fmt.Sprintf("port %d", w.Ports[0])
	default:
		what = "everything"
	}
	switch {
	case a.Over:
		return who + " stops: " + what + " " + plural(what, "passes", "pass") + " again"
	case a.Rule.Note != "":
		return a.Rule.Note
	}
	return who + " " + do + " " + what
}

// plural chooses a verb's form for what may be several things.
func plural(what, one, many string) string {
	if strings.Contains(what, " and ") {
		return many
	}
	return one
}

func entryText(e *scenario.Entry, d scenario.Deed) string {
	do := blocker.Drop()
	if e.Do != nil {
		do = *e.Do
	}
	var parts []string
	switch {
	case e.Hunt > 0 && len(d.Listed) == 0:
		parts = append(parts, "blocker looks for endpoints, and finds none")
	case e.Hunt > 0:
		parts = append(parts, "blocker finds and "+listing(do)+" "+count(len(d.Listed), "endpoint"))
	case len(e.Block) > 0:
		parts = append(parts, "blocker "+listing(do)+" "+prefixes(e.Block))
	}
	if len(e.Unblock) > 0 {
		parts = append(parts, "blocker strikes off "+prefixes(e.Unblock))
	}
	return strings.Join(parts, "; ")
}

func eventText(e *scenario.Event, d scenario.Deed) (parts []string) {
	if len(e.Launch) > 0 {
		var clouds []string
		for _, b := range e.Launch {
			if !slices.Contains(clouds, b.Cloud) {
				clouds = append(clouds, b.Cloud)
			}
		}
		parts = append(parts, count(len(d.Launched), "fresh endpoint")+", "+list(clouds))
	}
	if len(e.Cut) > 0 {
		parts = append(parts, "the network of "+list(e.Cut)+" is down")
	}
	if len(d.Stopped) > 0 {
		parts = append(parts, count(len(d.Stopped), "endpoint")+" stopped")
	}
	if len(d.Retired) > 0 {
		parts = append(parts, count(len(d.Retired), "endpoint")+" withdrawn")
	}
	for _, n := range e.Evict {
		within := "at once"
		if n.Notice > 0 {
			within = "within " + scenario.FormatDuration(n.Notice)
		}
		parts = append(parts, fmt.Sprintf("%s asks the service to leave %s", n.Cloud, within))
	}
	return parts
}

func overText(e *scenario.Event, d scenario.Deed) (parts []string) {
	if len(e.Cut) > 0 {
		parts = append(parts, "the network of "+list(e.Cut)+" is back")
	}
	if len(d.Started) > 0 {
		parts = append(parts, count(len(d.Started), "endpoint")+" started again")
	}
	return parts
}

// strategyText tells addresses that were found from prefixes around them.
func strategyText(d scenario.Deed) string {
	var parts []string
	for _, p := range []struct {
		verb string
		list []netip.Prefix
	}{{"lists", d.Listed}, {"strikes off", d.Struck}} {
		var wide []netip.Prefix
		single := 0
		for _, q := range p.list {
			if q.IsSingleIP() {
				single++
			} else {
				wide = append(wide, q)
			}
		}
		if single > 0 {
			what := p.verb + " " + count(single, "endpoint")
			if p.verb == "lists" {
				what = "finds and " + what
			}
			parts = append(parts, "blocker "+what)
		}
		if len(wide) > 0 {
			parts = append(parts, "blocker "+p.verb+" "+prefixes(wide))
		}
	}
	return strings.Join(parts, "; ")
}

// prefixes names the first and counts the rest.
func prefixes(ps []netip.Prefix) string {
	if len(ps) == 1 {
		return ps[0].String()
	}
	return fmt.Sprintf("%s and %d more", ps[0], len(ps)-1)
}

// listing is what the blocker does to prefixes: they are all on its list, but not
// all are dropped.
func listing(do blocker.Action) string {
	if do == blocker.Drop() {
		return "lists"
	}
	return verb(do)
}

// verb is what an action does: drops, freezes.
func verb(do blocker.Action) string {
	word, _, _ := strings.Cut(do.String(), " ")
	switch word = strings.TrimSuffix(word, ","); word {
	case "drop":
		return "drops"
	case "police":
		return "slows"
	}
	return word + "s"
}
