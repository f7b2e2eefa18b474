// Package probe examines endpoints: whether they answer, whether they carry enough
// data to show a path that freezes or slows flows after some kilobytes, and what
// they look like from elsewhere. A check that fetches a status code never sees a
// freeze: the handshake and the first 12 to 24 KB pass.
//
// [Prober] implements the pool's Prober. What it is asked for is a policy.Look. A
// routine one at depth policy.Greet is a few handshakes at once, of which one has to
// be answered; policy.Carry goes on with CONNECT and a download from a target. A
// doubtful look is for one of which something is suspected:
//
//	0 s    five handshakes, 25 ms apart      and, at the same time, two CONNECTs
//	       those that are answered are       through each viewer to the suspect,
//	       used, one each, for two           and one to the control; they are
//	       downloads, two uploads, and       ended if the suspect answers here
//	       another endpoint to be reached
//	0.75 s what still runs is compared with the same download through a viewer
//	1 s    what has not answered is silent   what has not answered for 1 s while
//	       (or after four round trips, or    the control did is silent
//	       the look's Patience)
//	2-3 s  what does not go on is stalled
//	2.5 s  what goes on below a quarter of what loss and delay allow is slowed; at
//	       1.5 s what all flows of one direction do below an eighth
//
// Where one direction alone is in question there are four flows in that one. At 64 KiB
// an examination moves 224 KiB, or 256 with a comparison, and never more, but for a
// single flow of up to 384 KiB where clients' flows stop beyond that. A password is
// sent by one try, and by the others once it was accepted. All of it is over within
// about 5 s at round trips of up to 300 ms and a loss of a few percent; from a tenth
// on a flow is waited for longer.
//
// That there are several of each transfer tells loss, which strikes one of them, from a
// blocker, which treats all alike. What counts is the worst of them, with
// exceptions that worse names. How a flow that has stopped is told from one that is
// policed to a trickle is said with pace.
//
// The tries also tell what share of handshakes the path loses while the endpoint is
// well: those that were not answered in two round trips of the others, although
// they are given up by then, count among Failures.
//
// The first target is one that endpoints of our own serve by themselves
// (ReservedHost), and the only one that is uploaded to. Others are configured, and
// they fail too: a failure counts against an endpoint only if the target is known,
// from another endpoint, to be well. Nothing is retried beyond that, and nothing is
// remembered but the round-trip time of each endpoint and the health of each
// target.
//
// What is sent through another endpoint is CONNECT and the offer of methods, never
// credentials, not even between endpoints of one owner: whether an endpoint runs
// shows without them.
package probe
