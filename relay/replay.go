package relay

import "fmt"

// Replay says which first flights may be sent again through another endpoint
// when theirs fails before the destination's first byte has come.
type Replay uint8

// The replay policies.
const (
	// Safe replays nothing at all, exactly one TLS ClientHello without early
	// data, exactly one HTTP/1.x GET, HEAD or OPTIONS without a body, or what has
	// come of one of them so far. None of them can make a destination do a thing
	// twice.
	Safe Replay = iota
	// Always replays whatever fits into 64 KiB. A destination may then see a
	// request twice.
	Always
	// Never replays nothing.
	Never
)

var replayNames = [...]string{"safe", "always", "never"}

// String is the policy in lower case.
func (r Replay) String() string {
	if int(r) < len(replayNames) {
		return replayNames[r]
	}
	return "replay?"
}

// MarshalText implements [encoding.TextMarshaler].
func (r Replay) MarshalText() ([]byte, error) {
	if r > Never {
		return nil, fmt.Errorf("relay: unknown replay policy %d", r)
	}
	return []byte(r.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]: safe, always or never.
func (r *Replay) UnmarshalText(text []byte) error {
	for i, name := range replayNames {
		if string(text) == name {
			*r = Replay(i)
			return nil
		}
	}
	return fmt.Errorf("relay: replay policy %q is not safe, always or never", text)
}

// movable reports whether sent, all that may have reached a destination so far,
// may be sent again, and be followed by whatever the client says next.
func (r Replay) movable(sent []byte) bool {
	switch r {
	case Always:
		return true
	case Never:
		return false
	default:
		return len(sent) == 0 || isClientHello(sent) || isHelloBeginning(sent) ||
			isRequestHead(sent) || isHeadBeginning(sent)
	}
}
