package scenario

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Entry is a dated order to the registry.
type Entry struct {
	At time.Time `yaml:"at,required"`
	// Block and Unblock are prefixes that come onto the list, and go off it.
	Block   []netip.Prefix `yaml:"block"`
	Unblock []netip.Prefix `yaml:"unblock"`
	// Hunt lists this many of the endpoints that the first ISP's people have
	// connected to most of late, each by its own address, as a blocker does that
	// watches its border. A few are always spared.
	Hunt int `yaml:"hunt"`
	// Do is what is done to what this entry lists, at every ISP; without it, each
	// does what it does to all that the registry lists.
	Do *blocker.Action `yaml:"do"`
	// Note is what a display shows in place of words of its own.
	Note string `yaml:"note"`
}

// Event is something that happens that is not the registry's doing. It is one of
// the following, or several at once.
type Event struct {
	At time.Time `yaml:"at,required"`
	// Launch is fresh endpoints, of which all clients learn at once.
	Launch []Batch `yaml:"launch"`
	// Cut takes down the networks of these ISPs: silence, and nobody's blocking.
	Cut []string `yaml:"cut"`
	// Stop kills the processes of endpoints, Hang halts them, the oldest first.
	// Without a count it is all of the cloud's.
	Stop []Some `yaml:"stop"`
	Hang []Some `yaml:"hang"`
	// Retire has the service withdraw endpoints, the oldest first: clients are
	// told to leave them. The machines go on.
	Retire []Some `yaml:"retire"`
	// For is how long Cut, Stop and Hang last; zero means for good.
	For time.Duration `yaml:"for"`
	// Evict has a cloud ask the service to leave. Until the notice is over its
	// endpoints go on; then the cloud takes them back.
	Evict []Eviction `yaml:"evict"`
	// Note is what a display shows in place of words of its own.
	Note string `yaml:"note"`
}

// Some is a number of running endpoints.
type Some struct {
	Cloud string `yaml:"cloud,required"`
	// Count is how many; zero means all.
	Count int `yaml:"count"`
}

// Eviction is a cloud's request to leave.
type Eviction struct {
	Cloud string `yaml:"cloud,required"`
	// Notice is how long the service has.
	Notice time.Duration `yaml:"notice"`
}

// Strategy is a blocker that goes by what it sees. The zero value is none.
type Strategy struct {
	// Every is how often it looks at what was seen since; zero means an hour.
	Every time.Duration `yaml:"every"`
	// One of these.
	Escalation *Escalation `yaml:"escalation"`
	Reaction   *Reaction   `yaml:"reaction"`
}

// Escalation lists addresses, and where they gather the prefixes around them:
// see [blocker.Escalation].
type Escalation struct {
	// Look is what it hunts: socks, tls, http or unrecognised.
	Look blocker.Look `yaml:"look,required"`
	// Attention is the share of flows that it looks at; zero means all.
	Attention float64 `yaml:"attention,share"`
	// Levels are the ways to widen.
	Levels []Level `yaml:"levels"`
	// Budget is how many addresses it dares list that were not hit themselves.
	Budget uint64 `yaml:"budget"`
	// For is how long an order stands; zero means for good.
	For time.Duration `yaml:"for"`
}

// Level is so many addresses listed within a prefix, and the prefix is listed.
type Level struct {
	Hits int `yaml:"hits,required"`
	// Bits is the length of the prefix, 1 to 31.
	Bits int `yaml:"bits,required"`
}

// Reaction lists addresses some time after it has seen them: see
// [blocker.Reaction].
type Reaction struct {
	// Look is what it hunts: socks, tls, http or unrecognised.
	Look blocker.Look `yaml:"look,required"`
	// Attention is the share of flows that it looks at; zero means all.
	Attention float64 `yaml:"attention,share"`
	// Delays are how long it may take, one of them drawn for each batch.
	Delays []time.Duration `yaml:"delays"`
	// Gather is for how long what is seen anew counts as one batch.
	Gather time.Duration `yaml:"gather"`
	// Within is the time within which a batch is listed.
	Within time.Duration `yaml:"within"`
	// For is how long an order stands; zero means for good.
	For time.Duration `yaml:"for"`
}
