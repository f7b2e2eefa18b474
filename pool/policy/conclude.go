package policy

import (
	"fmt"
	"time"
)

// Conclude says what one examination alone shows, and why in one sentence. It
// has no view from elsewhere, so it cannot tell an address that is blocked from
// one that is down, and says so.
func Conclude(x Examination) (Verdict, string) {
	switch x.Greeting {
	case Answered:
		return concludeCarried(x)
	case None:
		return Unknown, "not examined"
	case Local:
		return Unknown, "our own host failed before anything was sent" + because(x.Err)
	case Garbage:
		return Misconfigured, "it answers, but not as a SOCKS5 proxy"
	case Denied:
		return Misconfigured, "it refuses the credentials"
	case Reset:
		if x.Phase == Connect {
			return Unknown, "connection refused (blocked or down)"
		}
		return Unknown, "reset in the SOCKS greeting (blocked or down)"
	case Rejected:
		return Unknown, "rejected on the way: no route to host (blocked or down)"
	case Closed:
		return Unknown, "closes the connection in the SOCKS greeting"
	default:
		if x.Phase == Connect {
			return Unknown, fmt.Sprintf("no answer to a TCP handshake in %s (blocked or down)", took(x))
		}
		return Unknown, fmt.Sprintf("accepts, but the SOCKS greeting is not answered in %s", took(x))
	}
}

func concludeCarried(x Examination) (Verdict, string) {
	switch x.Down.Outcome {
	case Answered:
		return Alive, fmt.Sprintf("carried %d KiB", x.Down.Bytes>>10)
	case None:
		return Alive, "answers the greeting; no probe target, so nothing was carried"
	case Refused:
		return NoEgress, fmt.Sprintf("answers, but reaches no destination (reply %d)", x.Down.Reply)
	case Stalled:
		return Frozen, fmt.Sprintf("stops after %d KiB", x.Down.Bytes>>10)
	case Reset:
		return Unknown, fmt.Sprintf("reset after %d KiB of a download", x.Down.Bytes>>10)
	case Closed:
		return Unknown, fmt.Sprintf("closed after %d KiB of a download", x.Down.Bytes>>10)
	default:
		return Unknown, "answers the greeting, but not the request"
	}
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
