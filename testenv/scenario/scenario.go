package scenario

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Scenario is a story of blocking, as data. Playing it does not change it.
//
// The tags name each field's key in a file, and what it must be.
type Scenario struct {
	// Name is the file's, without directory and ending.
	Name string `yaml:"-"`
	// Title is what people see, and Summary one sentence for a list.
	Title   string `yaml:"title,required"`
	Summary string `yaml:"summary"`
	// Sources say where figures were read. Whatever else is in a file is an
	// assumption: the built-in ones mark each, or all of a kind at the top.
	Sources []string `yaml:"sources"`
	// Begins is the story's first moment. All dates in a file that bear no zone
	// are in the zone of this one, which is UTC if it bears none.
	Begins time.Time `yaml:"begins,required"`
	// Lasts is how long the story is, at most 100 years.
	Lasts time.Duration `yaml:"lasts,required"`
	// Speed is how many times faster than life the story is played if nobody says
	// otherwise; zero means 1.
	//
	// Speed is for what lasts hours and days: dates, launch delays, lags, notice,
	// prices. What passes in packets keeps its own pace at any speed: latencies,
	// rates, how often clients ask.
	Speed float64 `yaml:"speed"`
	// Clock has some days take longer than others. Its frames lie between the
	// ends of the story, which need not be written. Without any, time is even.
	Clock Clock `yaml:"clock"`

	// Clouds are where endpoints and tenants live, ISPs where clients do. A
	// display shows the first ISP.
	Clouds []Cloud `yaml:"clouds,required"`
	ISPs   []ISP   `yaml:"isps,required"`
	// Rules are at every ISP, before its own.
	Rules []Rule `yaml:"rules"`
	// Destinations are what clients ask for.
	Destinations []Destination `yaml:"destinations"`
	// Registry is what the blocker lists and strikes off, and when: a strategy by
	// script. Strategy is one that goes by what it sees. There can be both.
	Registry []Entry  `yaml:"registry"`
	Strategy Strategy `yaml:"strategy"`
	// Events are what else happens.
	Events []Event `yaml:"events"`
	// Pool is how each ISP's relay keeps its endpoints.
	Pool Pool `yaml:"pool"`
	// Agents are the blocker's people among the clients.
	Agents Agents `yaml:"agents"`
}

// Cloud is a provider of addresses.
type Cloud struct {
	Name string `yaml:"name,required"`
	// Prefixes are its addresses, at least one.
	Prefixes []netip.Prefix `yaml:"prefixes,required"`
	// Latency is one way, to the border of any ISP.
	Latency time.Duration `yaml:"latency"`
	// LaunchDelay is how long a machine takes from the order until it answers.
	LaunchDelay time.Duration `yaml:"launch-delay"`
	// PricePerHour is what one endpoint costs, in US dollars.
	PricePerHour float64 `yaml:"price-per-hour"`
	// Endpoints are there when the story begins.
	Endpoints []Batch `yaml:"endpoints"`
	// Tenants are the innocent. Several may bear the same name: one service at
	// several addresses, perhaps in several clouds.
	Tenants []Tenant `yaml:"tenants"`
}

// Batch is a number of endpoints.
type Batch struct {
	// Cloud is where they are launched. Among a cloud's own endpoints it goes
	// without saying.
	Cloud string `yaml:"cloud"`
	// Count is how many, 1 to 10,000.
	Count int `yaml:"count,required"`
	// In is the part of the cloud where their addresses lie; without it the cloud
	// chooses.
	In netip.Prefix `yaml:"in"`
}

// Tenant is an unrelated service at one address.
type Tenant struct {
	Name string `yaml:"name,required"`
	// In is the part of the cloud where its address lies; without it the cloud
	// chooses.
	In netip.Prefix `yaml:"in"`
	// Weight is how much it would be missed, against the others, 0 to 1 million.
	Weight int `yaml:"weight"`
}

// ISP is a network of clients behind a border.
type ISP struct {
	Name string `yaml:"name,required"`
	// Latency is one way, from its customers to its border, added to the cloud's.
	Latency time.Duration `yaml:"latency"`
	// Loss is the share of segments that get lost in each direction.
	Loss float64 `yaml:"loss,share"`
	// Lag is how late it applies the registry.
	Lag time.Duration `yaml:"lag"`
	// Apply is what it does to what the registry lists; without it, it drops.
	Apply blocker.Action `yaml:"apply"`
	// Users is how many customers it has, for weighing, up to 10 billion.
	Users int `yaml:"users"`
	// Rules are its own, behind those of all.
	Rules []Rule `yaml:"rules"`
	// Clients are those who are played. Without them, a level that needs some has
	// its own.
	Clients Clients `yaml:"clients"`
}

// Clients are the people of one ISP who use the relay.
type Clients struct {
	// Count is how many there are.
	Count int `yaml:"count"`
	// Requests is how often they ask for something, all together and on average,
	// per second; in a file 20/s, 90/min, 5/h.
	Requests float64 `yaml:"requests,rate"`
	// Streams is how many keep a long connection open besides.
	Streams int `yaml:"streams"`
	// Asks is what they ask for. Without it, any destination, three times out of
	// four a page, else 48 KiB.
	Asks []Ask `yaml:"asks"`
}

// Ask is a kind of request.
type Ask struct {
	// To is the destination's name.
	To string `yaml:"to,required"`
	// Size is how much is sent in answer, in bytes; zero means a short page.
	Size int64 `yaml:"size,bytes"`
	// Weight is how often it is asked for, against the others; zero means 1.
	Weight int `yaml:"weight"`
}

// Destination is a host with a name, beyond all clouds.
type Destination struct {
	Name string `yaml:"name,required"`
	// Latency is one way, from any cloud.
	Latency time.Duration `yaml:"latency"`
}

// Pool is how a relay keeps its endpoints. Those beyond the active ones are its
// reserve.
type Pool struct {
	// Active is how many endpoints serve at once, 1 to 256; zero means the
	// pool's own default.
	Active int `yaml:"active"`
	// RotateEvery moves each client to a fresh choice at this interval; zero means
	// never. It is a client's time, which no speed changes.
	RotateEvery time.Duration `yaml:"rotate-every"`
}

// Agents are clients who tell the blocker what they are given. They are for the
// study: in a world of packets there are none, and a scenario that wants some
// cannot be built there.
type Agents struct {
	// Count is how many, 0 to 10,000.
	Count int `yaml:"count"`
	// Cost is what one costs the blocker, in US dollars a month.
	Cost float64 `yaml:"cost"`
	// Requests is how often each asks for endpoints, per second; in a file 3/d.
	Requests float64 `yaml:"requests,rate"`
	// Mimic is the share of honest behaviour in what they do.
	Mimic float64 `yaml:"mimic,share"`
}
