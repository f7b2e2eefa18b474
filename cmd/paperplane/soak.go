package main

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// soakOptions is the endurance test's command line.
type soakOptions struct {
	duration time.Duration
	streams  int
	seed     int
}

func soakCommand(p *program) *cobra.Command {
	o := &soakOptions{duration: 10 * time.Minute, streams: 500, seed: 1}
	cmd := &cobra.Command{
		Use:   "soak [flags]",
		Short: "Keep the relay busy for long, and see whether it grows",
		Long: `Run the relay on loopback, as a process of its own in front of four endpoints,
with streams that start and end all the time: short ones and silent ones,
downloads that are broken off, uploads, clients that leave in mid-sentence.
Its memory, descriptors and goroutines are sampled as it goes.

The exit status is 0 if all of them were flat, no more than one stream in a
thousand failed, and nothing of the streams was left after their end.`,
		Example: `  paperplane soak
  paperplane soak --duration 1m --streams 200`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(duration{to: &o.duration}, "duration", "how long it takes, at least 2s")
	f.Var(number{&o.streams, 1, 5000}, "streams", "how many streams are open at a time")
	f.Var(number{&o.seed, 0, math.MaxInt}, "seed", "other seeds have the streams behave otherwise")
	return cmd
}

// samples is how many a soak takes.
const samples = 40

func (o *soakOptions) run(ctx context.Context, p *program) error {
	if runtime.GOOS != "linux" {
		return errors.New("it needs Linux: there is no other way to look into a process")
	}
	if o.duration < 2*time.Second {
		return usagef("--duration: must be at least 2s, got %s", short(o.duration))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	self, remove, err := bench.Publish(self)
	if err != nil {
		return err
	}
	defer remove()
	report, err := o.soak(ctx, p, self)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	if _, err := report.WriteTo(p.stdout); err != nil {
		return err
	}
	if faults := report.Faults(); len(faults) > 0 {
		return errors.New(strings.Join(faults, "\n"))
	}
	return nil
}

// soak runs it with this program, which must be where everybody can run it.
func (o *soakOptions) soak(ctx context.Context, p *program, program string) (*bench.SoakReport, error) {
	s := &bench.Soak{
		Relay: func(listen netip.AddrPort, endpoints []netip.AddrPort) []string {
			argv := []string{program, "relay", "--listen", listen.String()}
			for _, e := range endpoints {
				argv = append(argv, "socks5://"+e.String())
			}
			return argv
		},
		Endpoint: func(listen netip.AddrPort) []string {
			return []string{program, "exit", "--listen", listen.String(), "--allow", "127.0.0.0/8", "--log-level", "warn"}
		},
		Endpoints: 4, Destination: []string{program, "bench", "upstream"},
		Streams: o.streams, Duration: o.duration, Every: o.duration / samples, Seed: uint64(o.seed),
	}
	progress := p.newStatus()
	defer progress.clear()
	s.Progress = func(at bench.Sample) {
		progress.show("%s of %s: %s ended, %d open, %.0f MB", short(at.At.Round(time.Second)), short(o.duration),
			count(int(at.Ended), "stream"), at.Open, float64(at.Memory)/1e6)
	}
	return s.Run(ctx)
}
