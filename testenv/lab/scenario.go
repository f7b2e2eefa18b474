package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Scenario is everything that a run plays, as data. It is not changed by a run.
type Scenario struct {
	// Title is what people see.
	Title string
	// Clock maps the run onto the scenario's dates.
	Clock Clock
	// Clouds holds the endpoints and tenants, ISPs the vantages. The first ISP
	// is the one that is shown, and whose relay has the public port.
	Clouds []CloudPlan
	ISPs   []ISPPlan
	// Acts are what happens, in the order of their dates.
	Acts []Act
}

// CloudPlan is one provider: where its addresses lie and what starts there.
type CloudPlan struct {
	Name string
	// Blocks are the prefixes that it gives addresses from.
	Blocks []Block
	// Latency is one way, from the border of an ISP.
	Latency time.Duration
	// Tenants are the innocents. Several may bear the same name: one service
	// at several addresses, perhaps in several clouds.
	Tenants []TenantPlan
}

// Block is a prefix and how many endpoints begin in it.
type Block struct {
	Prefix    netip.Prefix
	Endpoints int
}

// TenantPlan is an unrelated service in one of its cloud's prefixes.
type TenantPlan struct {
	Name   string
	Prefix netip.Prefix
	// Weight is how much its users would miss it, against the others.
	Weight int
}

// ISPPlan is one vantage.
type ISPPlan struct {
	Name string
	// Latency is one way, added to that of the cloud.
	Latency time.Duration
	// Lag is how late it applies the block list, as a share of the run.
	Lag float64
	// Users is how many people it has, in millions.
	Users float64
}

// Act is something that happens at a date.
type Act struct {
	At time.Time
	// List and Strike are prefixes that come onto the block list and go off it.
	List, Strike []netip.Prefix
	// Do is what happens to flows towards the prefixes listed. The zero value
	// drops them.
	Do blocker.Action
	// Hunt lists this many of the endpoints that the first ISP's people connect
	// to most, each by its own address. A few are always spared.
	Hunt int
	// Push launches fresh endpoints and tells every relay of them, as the
	// service did by push notifications.
	Push []Push
	// Note replaces the text that is made up from the fields above.
	Note string
}

// Push asks a cloud for fresh endpoints.
type Push struct {
	Cloud     string
	Prefix    netip.Prefix
	Endpoints int
}

// Validate reports everything that is wrong with s, joined.
func (s Scenario) Validate() error {
	errs := []error{s.Clock.Validate()}
	clouds := make(map[string]bool)
	for _, c := range s.Clouds {
		if clouds[c.Name] {
			errs = append(errs, fmt.Errorf("cloud %s: twice", c.Name))
		}
		clouds[c.Name] = true
		for _, t := range c.Tenants {
			if !c.holds(t.Prefix) {
				errs = append(errs, fmt.Errorf("tenant %s: %s is not in cloud %s", t.Name, t.Prefix, c.Name))
			}
		}
	}
	if len(s.Clouds) == 0 || len(s.ISPs) == 0 {
		errs = append(errs, errors.New("scenario: needs a cloud and an ISP"))
	}
	for i, a := range s.Acts {
		if i > 0 && a.At.Before(s.Acts[i-1].At) {
			errs = append(errs, fmt.Errorf("act at %s: comes before the one above it", a.At.Format(dateFormat)))
		}
		for _, p := range a.Push {
			if c := s.cloud(p.Cloud); c == nil || !c.holds(p.Prefix) {
				errs = append(errs, fmt.Errorf("act at %s: no cloud %s with %s", a.At.Format(dateFormat), p.Cloud, p.Prefix))
			}
		}
	}
	return errors.Join(errs...)
}

// Endpoints is how many endpoints there are at the beginning.
func (s Scenario) Endpoints() (n int) {
	for _, c := range s.Clouds {
		for _, b := range c.Blocks {
			n += b.Endpoints
		}
	}
	return n
}

func (s Scenario) cloud(name string) *CloudPlan {
	for i := range s.Clouds {
		if s.Clouds[i].Name == name {
			return &s.Clouds[i]
		}
	}
	return nil
}

// holds reports whether p lies within the cloud's blocks.
func (c CloudPlan) holds(p netip.Prefix) bool {
	for _, b := range c.Blocks {
		if b.Prefix.Bits() <= p.Bits() && b.Prefix.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// dateFormat is how dates are shown: month, day and the time in Moscow.
const dateFormat = "01-02 15:04"
