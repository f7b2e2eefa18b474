// Package compat is the world of a published simulator, ProxySimulator (FOCI 2026),
// which descends from those of Enemy at the Gateways (Nasr, Farhang, Houmansadr and
// Grossklags, NDSS 2019) and SpotProxy (USENIX Security 2024). It was written anew from
// what that one does, so that results can be held against its own, and so that what is
// wrong with it can be seen by being put right.
//
// Its words are kept: a user is a client, a proxy an endpoint, the distributor the
// policy that gives proxies to users, the censor the blocker. An agent is a user who
// tells the censor what it is given.
//
// Time is steps. In each of them, in this order: new proxies appear; new users appear;
// the censor blocks; the distributor serves the queue; the step is logged; users leave;
// proxies leave. The censor comes before the distributor, so that agents report a proxy
// one step after it was given to them.
//
// In the dynamic world nobody leaves. Proxies have room for many users, and never get
// it back. The distributor gives every user a value for its conduct, and matches by
// deferred acceptance: users ask for proxies, the fullest and nearest first, and
// proxies keep those who are worth most.
//
// The ephemeral world is one of volunteers, like Snowflake: a proxy serves one user,
// users and proxies stay for few steps, and some are behind a NAT through which they
// reach only those who are not.
//
// # Faults
//
// As published (the default), in the ephemeral world a user whose proxy leaves is
// queued once, and if nothing is free at that step is forgotten until it leaves; and
// the users of blocked proxies are queued again when those proxies leave, although they
// have been served, so that they hold two. World.Faults = Repaired opens a wait when a
// user loses its last proxy, and queues nobody twice in a step.
//
// Two more stay, since they are what the measures mean, and are put right by other
// measures beside them: connectivity_published counts agents among the users, who are
// cut off by their own doing (connectivity_true does not); and lifetimes are published of
// proxies that were blocked alone (lifetime_median counts the others as censored). And
// agents' use of proxies is counted at .16 of its length, which takes a distributor that
// knows who is an agent. No real one does.
package compat
