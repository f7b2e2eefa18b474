// Package scenario is stories of blocking, written down: a YAML file says which
// clouds, tenants, ISPs and destinations there are, what the blocker does and when,
// and what else happens. The same file is for every level: a world in memory, one
// on a kernel, and, for what needs millions of clients, a simulation.
//
// A [Scenario] comes from [Parse] or [Load], or is one of the built-in ones, by
// [Builtin]. Reading is strict, and everything that is wrong is told at once, each
// mistake with its line, its column and what to do ([Error]). Build sets the
// scenario up in a [testenv.World] and returns a [Stage], whose Play lets happen
// what has a date. Programs under test dial through the stage's ISPs meanwhile; the
// world's ledger tells what came of it.
//
//	title: An hour of it                # what people see
//	summary: two prefixes and a hunt    # one sentence, for lists
//	sources: ["where the figures are from"]
//	begins: 2018-04-16T12:00+03:00      # dates without a zone are in this one
//	lasts: 1h
//	speed: 30                           # how fast it is played, if nobody says
//	# clock:                            # if some of it is to take longer: what share
//	#   - {at: +10m, share: 50%}        # of the playing is over at a date
//
//	clouds:
//	  - name: amazon
//	    prefixes: [52.58.0.0/15, 18.196.0.0/15]
//	    latency: 18ms                   # one way
//	    launch-delay: 40s
//	    price-per-hour: 0.0116          # US dollars
//	    endpoints: [{count: 4, in: 52.58.0.0/15}]
//	    tenants: [{name: cash desks, in: 52.58.0.0/15, weight: 9}]
//
//	isps:
//	  - name: mts
//	    latency: 6ms
//	    loss: 0.1%
//	    lag: 10m                        # how late it applies the registry
//	    apply: drop                     # what it does to what is listed there
//	    users: 78_000_000
//	    clients: {count: 64, requests: 20/s, streams: 8, asks: [{to: telegram.lab, size: 48KiB, weight: 1}]}
//	    rules: []                       # its own, like the following
//
//	rules:                              # at every ISP
//	  - when:                           # all of it must hold; what is not there does
//	      prefixes: [35.192.0.0/12]
//	      except-prefixes: [35.200.0.0/16]  # alone: everything but these
//	      ports: [443, 1080]
//	      names: [telegram.lab]
//	      except-names: [bank.lab]
//	      daily: 08:00-23:00
//	      from: +10m                    # a date, or a time from the beginning
//	      until: 2018-04-16 12:40
//	      probability: 50%              # of flows
//	      direction: down
//	    do: {freeze: 16KiB}             # see ParseAction
//	    note: what a display says
//
//	destinations: [{name: telegram.lab, latency: 5ms}]
//
//	registry:
//	  - {at: +5m, block: [52.58.0.0/15]}
//	  - {at: +9m, unblock: [52.58.0.0/15], note: what a display says}
//	  - {at: +20m, block: [18.196.0.0/15], do: reset}
//	  - {at: +30m, hunt: 3}             # three of the endpoints in use
//
//	strategy:                           # a blocker that goes by what it sees
//	  every: 1m
//	  escalation: {look: socks, attention: 25%, levels: [{hits: 3, bits: 24}], budget: 65536, for: 30m}
//	# reaction: {look: socks, delays: [2d, 36d], gather: 1d, within: 20m, for: 90d}
//
//	events:
//	  - {at: +10m, launch: [{cloud: amazon, count: 2, in: 18.196.0.0/15}]}
//	  - {at: +12m, cut: [mts], for: 30s}                      # its own network
//	  - {at: +15m, stop: [{cloud: amazon, count: 1}], for: 1m} # or hang
//	  - {at: +35m, retire: [{cloud: amazon, count: 2}]}
//	  - {at: +40m, evict: [{cloud: amazon, notice: 15m}]}
//
//	pool: {active: 8, rotate-every: 10m}
//	agents: {count: 0, cost: 10, requests: 3/d, mimic: 80%}    # the study's
//
// Durations may have days, 36d or 1d12h; sizes are 512, 16KB, 16KiB; shares 0.25 or
// 25%. Anchors and aliases of YAML work, merge keys do not.
//
// Not every level can do everything: a rule that a world's backend cannot carry out,
// and agents in a world of packets, are errors that are [errors.ErrUnsupported].
package scenario
