package policy

import (
	"fmt"
	"time"
)

// Conclude says what one examination shows. Whether an endpoint that does not
// answer is blocked or down is shown only by a view from elsewhere; without one
// the question cannot be decided, and the answer says so.
func Conclude(x Examination) Conclusion {
	switch x.Greeting {
	case None:
		return Conclusion{Why: "not examined"}
	case Local:
		return Conclusion{Why: "our own host failed before anything was sent" + because(x.Err)}
	case Answered:
		return concludeCarried(x)
	case Denied:
		return Conclusion{Misconfigured, Denied, surest, "it refuses the credentials"}
	case Garbage:
		return concludeGarbage(x)
	default:
		return concludeUnanswered(x)
	}
}

// concludeGarbage tells something that is no SOCKS5 proxy from one in whose place
// somebody else answers.
func concludeGarbage(x Examination) Conclusion {
	const why = "it answers, but not as a SOCKS5 proxy"
	for _, v := range x.Views {
		if v.Control == Answered && v.Suspect == Answered {
			return Conclusion{Blocked, Garbage, viewed(x.Views, SeenUp), why + ", while it does to " + v.Through}
		}
	}
	return Conclusion{Misconfigured, Garbage, sure(x.Failures, x.Loss), why}
}

// concludeUnanswered judges an endpoint that does not answer.
func concludeUnanswered(x Examination) Conclusion {
	c := Conclusion{Cause: x.Greeting, Confidence: sure(x.Failures, x.Loss)}
	what := unanswered(x)
	for _, v := range x.Views {
		if v.Control == Answered && v.Suspect == Garbage && !proper(x.Views) {
			return Conclusion{Misconfigured, Garbage, .9, what + ", and answers " + v.Through + ", but not as a SOCKS5 proxy"}
		}
	}
	switch Seen(x.Views) {
	case SeenUp:
		c.Verdict = Blocked
		c.Confidence *= viewed(x.Views, SeenUp)
		c.Why = what + ", but it answers through " + through(x.Views, SeenUp)
	case SeenDown:
		c.Verdict = Down
		c.Confidence *= viewed(x.Views, SeenDown)
		c.Why = what + ", and it does not answer through " + through(x.Views, SeenDown) + " either"
	case NoView:
		c.Why = what + " (blocked or down)"
	}
	return c
}

// proper says whether the suspect has answered anybody as a SOCKS5 proxy does.
func proper(views []View) bool {
	for _, v := range views {
		if v.Control == Answered && v.Suspect == Answered {
			return true
		}
	}
	return false
}

// unanswered is how the first two phases failed.
func unanswered(x Examination) string {
	times := ""
	if x.Failures > 1 {
		times = fmt.Sprintf(" %d times", x.Failures)
	}
	switch x.Greeting {
	case Reset:
		if x.Phase == Connect {
			return "connection refused" + times
		}
		return "reset in the SOCKS greeting" + times
	case Rejected:
		return "rejected on the way" + times + ", no route to host"
	case Closed:
		return "closes the connection in the SOCKS greeting" + times
	default:
		if x.Phase == Connect {
			if x.Failures > 1 {
				return fmt.Sprintf("no answer to %d TCP handshakes in %s", x.Failures, took(x))
			}
			return fmt.Sprintf("no answer to a TCP handshake in %s", took(x))
		}
		return fmt.Sprintf("accepts%s, but the SOCKS greeting is not answered in %s", times, took(x))
	}
}

// through names the first view that shows something.
func through(views []View, s Sight) string {
	for _, v := range views {
		if v.Sight() == s {
			return v.Through
		}
	}
	return "another"
}

// concludeCarried judges an endpoint that answers the greeting by what it carries.
func concludeCarried(x Examination) Conclusion {
	if c, bad := concludePassage(x, x.Down, "down"); bad {
		return c
	}
	if c, bad := concludePassage(x, x.Up, "up"); bad {
		return c
	}
	if c, bad := concludeEgress(x); bad {
		return c
	}
	switch {
	case x.Down.Outcome == Answered && x.Up.Outcome == Answered:
		return Conclusion{Alive, None, surest, fmt.Sprintf("carried %s down and %s up", kib(x.Down.Bytes), kib(x.Up.Bytes))}
	case x.Down.Outcome == Answered:
		return Conclusion{Alive, None, surest, "carried " + kib(x.Down.Bytes)}
	case (x.Up.Outcome == Answered || x.Up.Outcome == Slowed) && x.Down.Outcome == None:
		return Conclusion{Alive, None, surest, "carried " + kib(x.Up.Bytes) + " up"}
	case x.Down.Outcome == Slowed:
		return Conclusion{Unknown, Slowed, 0, fmt.Sprintf("slow, %s/s, with nothing to compare it to", kib(int64(x.Down.Rate)))}
	case x.Egress == Answered:
		return Conclusion{Alive, None, .95, "answers the greeting, and reaches another endpoint; no probe target, so nothing was carried"}
	}
	return Conclusion{Alive, None, .9, "answers the greeting; no probe target, so nothing was carried"}
}

// concludePassage judges one direction; it is false if that went well, or tells
// nothing.
func concludePassage(x Examination, p Passage, way string) (Conclusion, bool) {
	if x.Egress == Answered && p.Bytes == 0 {
		switch p.Outcome {
		case Refused, Silent, Closed:
			// It reaches an endpoint that is well: the target is to blame.
			return Conclusion{}, false
		default:
		}
	}
	switch p.Outcome {
	case None:
		return Conclusion{}, false
	case Answered, Slowed:
		if way == "up" {
			return Conclusion{}, false // see [Examination.slow]
		}
		return concludeRate(x, p, way)
	case Refused:
		return Conclusion{NoEgress, Refused, .95, fmt.Sprintf("answers, but reaches no destination (reply %d)", p.Reply)}, true
	case Stalled:
		return Conclusion{Frozen, Stalled, .98, fmt.Sprintf("flows stop at about %s %s, while greetings are answered", kib(p.Bytes), way)}, true
	case Reset:
		if p.Bytes == 0 && x.Egress == Closed {
			// A host resets where it closes with something unread.
			return Conclusion{NoEgress, Closed, .8, "grants requests, and closes before a byte"}, true
		}
		return Conclusion{Blocked, Reset, .8, fmt.Sprintf("answers the greeting, and is reset after %s %s", kib(p.Bytes), way)}, true
	case Closed:
		if p.Bytes == 0 {
			return Conclusion{NoEgress, Closed, .9, "grants a request, and closes before a byte"}, true
		}
		return Conclusion{Unknown, Closed, 0, fmt.Sprintf("closed after %s %s", kib(p.Bytes), way)}, true
	default:
		return Conclusion{NoEgress, Silent, .7, "answers the greeting, but not the request"}, true
	}
}

// concludeEgress judges what came of reaching another endpoint through this one.
// A refusal by rule (reply 2) tells of the rules only.
func concludeEgress(x Examination) (Conclusion, bool) {
	const why = "answers, but does not reach an endpoint that is well"
	switch x.Egress {
	case Refused:
		switch x.EgressReply {
		case 1, 3, 4, 6:
			return Conclusion{NoEgress, Refused, .9, fmt.Sprintf("%s (reply %d)", why, x.EgressReply)}, true
		}
	case Silent, Closed, Reset, Garbage:
		return Conclusion{NoEgress, x.Egress, .8, why}, true
	default:
	}
	return Conclusion{}, false
}

func took(x Examination) time.Duration {
	return x.At.Sub(x.Asked).Round(10 * time.Millisecond)
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
