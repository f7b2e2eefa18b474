package scenario

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Validate reports all that is wrong with a scenario, as [Errors]. What was
// parsed is valid; it is for those that are made in a program.
func (s *Scenario) Validate() error {
	c := checker{s: s}
	c.all()
	return c.errs.sorted()
}

// checker looks at what a scenario says as a whole.
type checker struct {
	report
	s *Scenario
}

// bad notes an error at the place of a value, or at that of what holds it.
func (c *checker) bad(path, format string, args ...any) {
	where := path
	for c.places != nil && where != "" {
		if p, ok := c.places[where]; ok {
			c.at(path, p, format, args...)
			return
		}
		where = where[:max(strings.LastIndexAny(where, ".["), 0)]
	}
	c.at(path, c.places[where], format, args...)
}

// written reports whether a file has a value there.
func (c *checker) written(path string) bool {
	_, ok := c.places[path]
	return ok
}

// decoded reports whether what is at a path came out well, so that it can be
// judged further.
func (c *checker) decoded(path string) bool {
	return !slices.ContainsFunc(c.errs, func(e *Error) bool {
		return e.Path == path || strings.HasPrefix(e.Path, path+".") || strings.HasPrefix(e.Path, path+"[")
	})
}

func (c *checker) all() {
	s := c.s
	if c.places == nil && (s.Title == "" || s.Begins.IsZero() || len(s.Clouds) == 0 || len(s.ISPs) == 0) {
		c.bad("", "needs at least a title, a beginning, clouds and ISPs")
	}
	if c.places["clouds"] != (place{}) && c.decoded("clouds") && len(s.Clouds) == 0 {
		c.bad("clouds", "must hold at least one cloud")
	}
	if c.places["isps"] != (place{}) && c.decoded("isps") && len(s.ISPs) == 0 {
		c.bad("isps", "must hold at least one ISP")
	}
	if y := s.Begins.Year(); !s.Begins.IsZero() && (y < 1970 || y > 2200) {
		c.bad("begins", "must be in the years 1970 to 2200")
	}
	if c.decoded("lasts") && s.Lasts < time.Second && (c.places == nil || c.written("lasts")) {
		c.bad("lasts", "must be at least 1s, got %s", FormatDuration(s.Lasts))
	}
	if s.Speed != 0 && (s.Speed < 1e-3 || s.Speed > 1e9) || s.Speed == 0 && c.written("speed") && c.decoded("speed") {
		c.bad("speed", "must be from 0.001 to 1000000000, got %v", s.Speed)
	}
	c.clock()
	c.clouds()
	c.destinations()
	c.isps()
	c.rules("rules", s.Rules)
	c.registry()
	c.strategy()
	c.events()
	c.between("pool.active", int64(s.Pool.Active), 0, 256)
	c.between("agents.count", int64(s.Agents.Count), 0, 10_000)
}

// between holds a number within its range. Zero is what stands for nothing.
func (c *checker) between(path string, n, low, high int64) {
	if n < low || n > high {
		c.bad(path, "must be from %d to %d, got %d", low, high, n)
	}
}

// atLeastOne is between for a number that has to be there, and be no zero.
func (c *checker) atLeastOne(path string, n, high int64) {
	if c.places == nil || c.written(path) && c.decoded(path) {
		c.between(path, n, 1, high)
	}
}

// most a packet takes in one direction: beyond it, no handshake comes to an end.
const maxLatency = time.Minute

func (c *checker) latency(path string, d time.Duration) {
	if d < 0 || d > maxLatency {
		c.bad(path, "must be at most %s, got %s", FormatDuration(maxLatency), FormatDuration(d))
	}
}

// date holds a date within the story.
func (c *checker) date(path string, t time.Time) {
	s := c.s
	if t.IsZero() || !c.decoded("begins") || !c.decoded("lasts") || s.Lasts == 0 {
		return
	}
	if t.Before(s.Begins) || t.After(s.Ends()) {
		c.bad(path, "must lie within the story, %s to %s, got %s", show(s.Begins), show(s.Ends()), show(t))
	}
}

// show is a date as it can be written in a file.
func show(t time.Time) string {
	if t.Second() != 0 {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

func (c *checker) clock() {
	last := Frame{Date: c.s.Begins}
	for i, f := range c.s.Clock {
		path := fmt.Sprintf("clock[%d]", i)
		if !c.decoded(path) {
			continue
		}
		c.date(path+".at", f.Date)
		switch {
		case f.Share <= 0 || f.Share >= 1:
			c.bad(path+".share", "must be between 0%% and 100%%, which are the beginning and the end of the story")
		case !f.Date.After(last.Date):
			c.bad(path+".at", "must be later than %s, which comes before it", show(last.Date))
		case !f.Date.Before(c.s.Ends()):
			c.bad(path+".at", "must be earlier than the end of the story, %s", show(c.s.Ends()))
		case f.Share <= last.Share:
			c.bad(path+".share", "must be more than the %.4g%% that come before it", last.Share*100)
		}
		last = f
	}
}

// name holds a name to what can be written on a command line and in a table.
func (c *checker) name(path, name string, seen map[string]string) {
	if name == "" {
		if c.places == nil {
			c.bad(path, "must not be empty")
		}
		return
	}
	letters := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_'
	}
	switch first, twice := seen[strings.ToLower(name)]; {
	case twice:
		c.bad(path, "%q is taken by %s", name, first)
		return
	case strings.ContainsFunc(name, func(r rune) bool { return !letters(r) }) || name[0] == '-' || len(name) > 40:
		c.bad(path, "must be of at most 40 letters, digits, dots and hyphens, got %q", name)
	}
	seen[strings.ToLower(name)] = path[:max(strings.LastIndexByte(path, '.'), 0)]
}

func (c *checker) clouds() {
	seen := make(map[string]string)
	for i, cloud := range c.s.Clouds {
		path := fmt.Sprintf("clouds[%d]", i)
		c.name(path+".name", cloud.Name, seen)
		c.latency(path+".latency", cloud.Latency)
		if len(cloud.Prefixes) == 0 && (c.places == nil || c.written(path+".prefixes") && c.decoded(path+".prefixes")) {
			c.bad(path+".prefixes", "must hold at least one prefix")
		}
		for j, p := range cloud.Prefixes {
			c.apart(fmt.Sprintf("%s.prefixes[%d]", path, j), p, i, j)
		}
		for j, b := range cloud.Endpoints {
			if b.Cloud != "" && b.Cloud != cloud.Name {
				c.bad(fmt.Sprintf("%s.endpoints[%d].cloud", path, j), "must be %q here, or left out", cloud.Name)
				continue
			}
			b.Cloud = cloud.Name
			c.batch(fmt.Sprintf("%s.endpoints[%d]", path, j), b)
		}
		for j, t := range cloud.Tenants {
			c.part(fmt.Sprintf("%s.tenants[%d].in", path, j), &c.s.Clouds[i], t.In)
			c.between(fmt.Sprintf("%s.tenants[%d].weight", path, j), int64(t.Weight), 0, 1e6)
		}
	}
}

// apart holds that a cloud's prefix is no part of what came before it.
func (c *checker) apart(path string, p netip.Prefix, cloud, at int) {
	for i, other := range c.s.Clouds[:cloud+1] {
		for j, q := range other.Prefixes {
			if (i < cloud || j < at) && p.IsValid() && q.IsValid() && p.Overlaps(q) {
				c.bad(path, "overlaps %s of cloud %s", q, other.Name)
				return
			}
		}
	}
}

func (c *checker) cloud(path, name string) *Cloud {
	if name == "" {
		if c.places == nil || c.written(path[:max(strings.LastIndexByte(path, '.'), 0)]) && c.decoded(path) {
			c.bad(path, "must name a cloud")
		}
		return nil
	}
	if cloud := c.s.cloud(name); cloud != nil {
		return cloud
	}
	var names []string
	for _, cloud := range c.s.Clouds {
		names = append(names, cloud.Name)
	}
	c.bad(path, "%s", unknown("cloud", name, names))
	return nil
}

// part holds that a prefix lies within a cloud.
func (c *checker) part(path string, cloud *Cloud, p netip.Prefix) {
	if cloud == nil || !p.IsValid() || slices.ContainsFunc(cloud.Prefixes, func(q netip.Prefix) bool {
		return q.IsValid() && q.Bits() <= p.Bits() && q.Contains(p.Addr())
	}) {
		return
	}
	c.bad(path, "%s is no part of cloud %s: add it to the cloud's prefixes, or choose another", p, cloud.Name)
}

func (c *checker) batch(path string, b Batch) {
	c.part(path+".in", c.cloud(path+".cloud", b.Cloud), b.In)
	c.atLeastOne(path+".count", int64(b.Count), 10_000)
}

func (c *checker) destinations() {
	seen := make(map[string]string)
	for i, d := range c.s.Destinations {
		path := fmt.Sprintf("destinations[%d]", i)
		c.name(path+".name", d.Name, seen)
		c.latency(path+".latency", d.Latency)
	}
}

func (c *checker) isps() {
	seen := make(map[string]string)
	for i, isp := range c.s.ISPs {
		path := fmt.Sprintf("isps[%d]", i)
		c.name(path+".name", isp.Name, seen)
		c.latency(path+".latency", isp.Latency)
		if isp.Loss < 0 || isp.Loss >= 1 {
			c.bad(path+".loss", "must be less than 100%%: to lose everything, cut the network")
		}
		c.between(path+".users", int64(isp.Users), 0, 1e10)
		c.rules(path+".rules", isp.Rules)
		c.clients(path+".clients", isp.Clients)
	}
}

func (c *checker) clients(path string, n Clients) {
	c.between(path+".count", int64(n.Count), 0, 1e9)
	c.between(path+".streams", int64(n.Streams), 0, 1e6)
	if n.Count == 0 && n.Requests > 0 {
		c.bad(path, "needs a count, for there are requests")
	}
	for i, a := range n.Asks {
		at := fmt.Sprintf("%s.asks[%d]", path, i)
		known := slices.ContainsFunc(c.s.Destinations, func(d Destination) bool { return strings.EqualFold(d.Name, a.To) })
		if !known && a.To != "" {
			var names []string
			for _, d := range c.s.Destinations {
				names = append(names, d.Name)
			}
			c.bad(at+".to", "%s", unknown("destination", a.To, names))
		}
		c.between(at+".size", a.Size, 0, 1<<30)
		c.between(at+".weight", int64(a.Weight), 0, 1e6)
	}
}

func (c *checker) rules(path string, rules []Rule) {
	for i, r := range rules {
		at := fmt.Sprintf("%s[%d]", path, i)
		w := r.When
		c.date(at+".when.from", w.From)
		if !w.From.IsZero() && !w.Until.IsZero() && !w.Until.After(w.From) {
			c.bad(at+".when.until", "must be later than from, %s", show(w.From))
		} else {
			c.date(at+".when.until", w.Until)
		}
		if w.Daily != (Hours{}) && len(c.s.Clock) > 0 {
			c.bad(at+".when.daily", "needs days of equal length: leave out clock, or this")
		}
		for j, p := range w.Ports {
			c.atLeastOne(fmt.Sprintf("%s.when.ports[%d]", at, j), int64(p), math.MaxUint16)
		}
		if w.Probability < 0 || w.Probability > 1 || w.Probability == 0 && c.written(at+".when.probability") {
			c.bad(at+".when.probability", "must be more than 0%%, and at most 100%%")
		}
		if deed := r.Do.Terms().Deed; len(w.ExceptNames) > 0 && len(w.Names) == 0 && w.Direction != blocker.Down &&
			deed != blocker.Freezes && deed != blocker.Polices {
			c.bad(at+".when.except-names", "comes too late: %v takes a flow's first packet, before it can show a name; freeze or police instead", r.Do)
		}
	}
}

func (c *checker) registry() {
	for i, e := range c.s.Registry {
		path := fmt.Sprintf("registry[%d]", i)
		c.date(path+".at", e.At)
		c.between(path+".hunt", int64(e.Hunt), 0, 10_000)
		switch {
		case len(e.Block)+len(e.Unblock) == 0 && e.Hunt == 0 && c.decoded(path):
			c.bad(path, "does nothing: it needs block, unblock or hunt")
		case e.Hunt > 0 && len(e.Block) > 0:
			c.bad(path+".hunt", "cannot stand beside block: make an entry of its own of it")
		case e.Do != nil && e.Hunt == 0 && len(e.Block) == 0 && c.decoded(path):
			c.bad(path+".do", "is for what is blocked or hunted here, and there is nothing")
		}
		for j, p := range e.Unblock {
			if p.IsValid() && !c.s.listed(p, e.At) {
				c.bad(fmt.Sprintf("%s.unblock[%d]", path, j), "%s is not blocked by then: unblock exactly what was blocked", p)
			}
		}
	}
}

// listed reports whether an entry blocks a prefix at a time or before it.
func (s *Scenario) listed(p netip.Prefix, at time.Time) bool {
	return slices.ContainsFunc(s.Registry, func(e Entry) bool { return !e.At.After(at) && slices.Contains(e.Block, p) })
}

func (c *checker) strategy() {
	s := c.s.Strategy
	if n := s.Every; n != 0 && n < time.Second || n == 0 && c.written("strategy.every") && c.decoded("strategy.every") {
		c.bad("strategy.every", "must be at least 1s, got %s", FormatDuration(n))
	}
	switch {
	case s.Escalation != nil && s.Reaction != nil:
		c.bad("strategy", "must be one: escalation or reaction")
	case s.Escalation == nil && s.Reaction == nil && (c.written("strategy") && c.decoded("strategy") || s.Every != 0):
		c.bad("strategy", "needs one of escalation and reaction")
	}
	if e := s.Escalation; e != nil {
		for i, l := range e.Levels {
			path := fmt.Sprintf("strategy.escalation.levels[%d]", i)
			c.atLeastOne(path+".hits", int64(l.Hits), 1e6)
			c.atLeastOne(path+".bits", int64(l.Bits), 31)
		}
	}
}

func (c *checker) events() {
	for i, e := range c.s.Events {
		path := fmt.Sprintf("events[%d]", i)
		c.date(path+".at", e.At)
		if len(e.Launch)+len(e.Cut)+len(e.Stop)+len(e.Hang)+len(e.Retire)+len(e.Evict) == 0 && c.decoded(path) {
			c.bad(path, "does nothing: it needs launch, cut, stop, hang, retire or evict")
		}
		if e.For != 0 && len(e.Cut)+len(e.Stop)+len(e.Hang) == 0 && c.decoded(path) {
			c.bad(path+".for", "is how long cut, stop or hang last, and there is none")
		}
		for j, b := range e.Launch {
			c.batch(fmt.Sprintf("%s.launch[%d]", path, j), b)
		}
		for j, name := range e.Cut {
			c.isp(fmt.Sprintf("%s.cut[%d]", path, j), name)
		}
		for kind, some := range map[string][]Some{"stop": e.Stop, "hang": e.Hang, "retire": e.Retire} {
			for j, n := range some {
				at := fmt.Sprintf("%s.%s[%d]", path, kind, j)
				c.cloud(at+".cloud", n.Cloud)
				c.between(at+".count", int64(n.Count), 0, 10_000)
			}
		}
		for j, n := range e.Evict {
			c.cloud(fmt.Sprintf("%s.evict[%d].cloud", path, j), n.Cloud)
		}
	}
}

func (c *checker) isp(path, name string) {
	var names []string
	for _, isp := range c.s.ISPs {
		if isp.Name == name {
			return
		}
		names = append(names, isp.Name)
	}
	c.bad(path, "%s", unknown("ISP", name, names))
}

func (s *Scenario) cloud(name string) *Cloud {
	for i := range s.Clouds {
		if s.Clouds[i].Name == name {
			return &s.Clouds[i]
		}
	}
	return nil
}
