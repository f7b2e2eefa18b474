// Package pool keeps what is known of the endpoints and says which to use next.
//
// A [Pool] holds every endpoint in memory (go-memdb tables of immutable rows).
// A few of them are active, each in a slot; the rest are a reserve that is
// neither dialled nor probed, because an address that is never used cannot be
// discovered. Whoever carries traffic takes a [Lease] for a client, an ordered
// choice of endpoints, and reports what it saw to the [Endpoint]. The decisions
// are made by the pure core in pool/policy; this package gives it a clock, runs
// the examinations that it asks for through a [Prober], stores the outcome and
// publishes it.
//
// Taking a lease reads one immutable view, published at each change of state,
// and what is remembered of the client: no lock of the pool's, no database, no
// allocation. Reporting an answer is a few atomic stores; trouble is queued for
// the loop of [Pool.Run]. So no request ever waits for the pool, however much
// changes in it at once: a storm of verdicts is written to the tables in batches,
// after the view without those that are lost has been published.
package pool
