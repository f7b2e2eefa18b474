package scenario

import (
	"errors"
	"fmt"
	"strings"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// The ways to write an action, as an error says them.
const actionHelp = "drop, reset, reject, freeze:16KiB, freeze:25packets or police:64kbit/s"

// ParseAction reads an action as people say it: drop, reset, reject,
// freeze:16KiB, freeze:25packets, police:64kbit/s. Options follow it after
// commas: freeze:16KiB,counting:down counts the bytes of one direction only;
// reset,lingering:10m goes on against whom a rule for names has struck, and
// reset,lingering:10m,renewing does so for as long as they go on trying. A blank
// may follow a colon or a comma.
//
// A scenario file may have the same as a mapping: do: {freeze: 16KiB, counting:
// down}.
func ParseAction(s string) (blocker.Action, error) {
	var a blocker.Action
	for i, part := range strings.Split(s, ",") {
		key, value, valued := strings.Cut(strings.TrimSpace(part), ":")
		value = strings.TrimSpace(value)
		var err error
		switch {
		case i == 0:
			a, err = verb(key, value, valued)
		default:
			a, err = option(a, key, value, valued)
		}
		if err != nil {
			return blocker.Action{}, err
		}
	}
	return a, nil
}

// verb is what an action does.
func verb(key, value string, valued bool) (blocker.Action, error) {
	if plain, ok := map[string]blocker.Action{"drop": blocker.Drop(), "reset": blocker.Reset(), "reject": blocker.Reject()}[key]; ok {
		if valued {
			return plain, fmt.Errorf("%s takes nothing after it, got %q", key, value)
		}
		return plain, nil
	}
	switch key {
	case "freeze":
		if n, packets := strings.CutSuffix(value, "packets"); packets {
			count, err := ParseSize(strings.TrimSpace(n))
			if err != nil || count < 1 {
				return blocker.Action{}, fmt.Errorf("freeze: must be after at least 1 packet, like 25packets, got %q", value)
			}
			return blocker.FreezePackets(count), nil
		}
		n, err := ParseSize(value)
		if err != nil {
			return blocker.Action{}, fmt.Errorf("freeze: %w, or a number of packets like 25packets, got %q", err, value)
		}
		return blocker.Freeze(n), nil
	case "police":
		r, err := ParseRate(value)
		if err != nil {
			return blocker.Action{}, fmt.Errorf("police: %w, got %q", err, value)
		}
		return blocker.Police(r), nil
	}
	return blocker.Action{}, fmt.Errorf("must be one of %s, got %q", actionHelp, key)
}

var (
	errCounting  = errors.New("counting: only a freeze counts, up or down")
	errLingering = errors.New("lingering: must be a duration like 10m")
)

// option changes what an action does.
func option(a blocker.Action, key, value string, valued bool) (blocker.Action, error) {
	switch key {
	case "counting":
		d, err := parseDirection(value)
		if err != nil || a.Terms().Deed != blocker.Freezes {
			return a, fmt.Errorf("%w, got %q", errCounting, value)
		}
		return a.Counting(d), nil
	case "lingering":
		d, err := ParseDuration(value)
		if err != nil || d == 0 {
			return a, fmt.Errorf("%w, got %q", errLingering, value)
		}
		return a.Lingering(d), nil
	case "renewing":
		if valued && value != "true" || a.Terms().Window == 0 {
			return a, errors.New("renewing: stands alone, after lingering:10m")
		}
		return a.Renewing(), nil
	}
	return a, fmt.Errorf("has the options counting, lingering and renewing, not %q", key)
}

func parseDirection(s string) (blocker.Direction, error) {
	switch s {
	case "up":
		return blocker.Up, nil
	case "down":
		return blocker.Down, nil
	case "both":
		return blocker.Both, nil
	}
	return blocker.Both, errors.New("must be up, down or both")
}

func parseLook(s string) (blocker.Look, error) {
	for _, l := range []blocker.Look{blocker.Socks, blocker.TLS, blocker.HTTP, blocker.Unrecognised} {
		if l.String() == s {
			return l, nil
		}
	}
	return 0, errors.New("must be socks, tls, http or unrecognised")
}
