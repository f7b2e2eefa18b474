package scenario_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

func TestParseAction(t *testing.T) {
	for text, want := range map[string]blocker.Action{
		"drop":                          blocker.Drop(),
		"reset":                         blocker.Reset(),
		"reject":                        blocker.Reject(),
		"freeze:16KiB":                  blocker.Freeze(16 << 10),
		"freeze: 16KB":                  blocker.Freeze(16_000),
		"freeze:0":                      blocker.Freeze(0),
		"freeze:25packets":              blocker.FreezePackets(25),
		"freeze:25 packets":             blocker.FreezePackets(25),
		"freeze:1.5MiB,counting:down":   blocker.Freeze(3 << 19).Counting(blocker.Down),
		"police:64kbit/s":               blocker.Police(8000),
		"police:64 kbps":                blocker.Police(8000),
		"police: 8KiB/s":                blocker.Police(8192),
		"police:1.5MB/s":                blocker.Police(1.5e6),
		"reset,lingering:10m":           blocker.Reset().Lingering(10 * time.Minute),
		"drop, lingering: 1d, renewing": blocker.Drop().Lingering(24 * time.Hour).Renewing(),
	} {
		got, err := scenario.ParseAction(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                           `must be one of drop, reset, reject, freeze:16KiB, freeze:25packets or police:64kbit/s, got ""`,
		"Drop":                       `must be one of drop, reset, reject, freeze:16KiB, freeze:25packets or police:64kbit/s, got "Drop"`,
		"drop:1":                     `drop takes nothing after it, got "1"`,
		"freeze":                     `freeze: must be a size in bytes like 512, 16KiB or 1MB, or a number of packets like 25packets, got ""`,
		"freeze:0packets":            `freeze: must be after at least 1 packet, like 25packets, got "0packets"`,
		"freeze:-1":                  `freeze: must be a size in bytes like 512, 16KiB or 1MB, or a number of packets like 25packets, got "-1"`,
		"freeze:0.5B":                `freeze: must be a size in bytes like 512, 16KiB or 1MB, or a number of packets like 25packets, got "0.5B"`,
		"freeze:16kib":               `freeze: must be a size in bytes like 512, 16KiB or 1MB, or a number of packets like 25packets, got "16kib"`,
		"police:64":                  `police: must be a rate like 64kbit/s, 8KiB/s or 1Mbit/s, got "64"`,
		"police:64k":                 `police: must be a rate like 64kbit/s, 8KiB/s or 1Mbit/s, got "64k"`,
		"drop,counting:down":         `counting: only a freeze counts, up or down, got "down"`,
		"freeze:1,counting:sideways": `counting: only a freeze counts, up or down, got "sideways"`,
		"reset,lingering:0s":         `lingering: must be a duration like 10m, got "0s"`,
		"reset,renewing":             `renewing: stands alone, after lingering:10m`,
		"reset,":                     `has the options counting, lingering and renewing, not ""`,
	} {
		if got, err := scenario.ParseAction(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"18ms": 18 * time.Millisecond, "2h30m": 150 * time.Minute, "36d": 36 * day, "1d12h": 36 * time.Hour,
		"0s": 0, "1.5d": 36 * time.Hour, "36500d": 36500 * day, "0d1m": time.Minute,
	} {
		got, err := scenario.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
		if back, err := scenario.ParseDuration(scenario.FormatDuration(got)); err != nil || back != got {
			t.Errorf("%v is written %s, and that is %v, %v", got, scenario.FormatDuration(got), back, err)
		}
	}
	for _, text := range []string{
		"", "d", "5", "-1s", "+1s", "1d-1h", "1d+1h", "1h1d", "1d1d", "36501d", "999999999999h", "1e3d", "NaNd", "soon", "1 d",
	} {
		if got, err := scenario.ParseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
