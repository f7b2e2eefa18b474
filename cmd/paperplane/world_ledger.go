package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/remote"
)

func worldLedgerCommand(p *program) *cobra.Command {
	f := &worldFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ledger [flags]",
		Short: "Say what has really happened: bytes, connections, what was blocked",
		Long: `Say what has really happened in a running world so far. A line is what passed
between an ISP and an address: dials, those that were answered and those that a
rule kept from it, payload bytes that passed the border, packets that rules took.
"in the open" are dials from an ISP to something that is in no cloud, and names
that were asked for there.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.isp != "" {
				// The ledger has nothing of an ISP that does not exist, either.
				if _, err := f.client().Rules(cmd.Context(), f.isp); err != nil {
					return err
				}
			}
			l, err := f.client().Ledger(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printDocument(p.stdout, l)
			}
			return printLedger(p.stdout, l, f.isp)
		},
	}
	f.flags(cmd)
	f.ispFlag(cmd, "only this `ISP`'s")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all of it as one JSON document")
	return cmd
}

func printLedger(w io.Writer, l remote.Ledger, isp string) error {
	t := table{right: []int{2, 3, 4, 5, 6, 7}}
	head := []cell{}
	for _, h := range []string{"ISP", "SERVER", "DIALS", "ANSWERED", "BLOCKED", "UP", "DOWN", "PACKETS TAKEN"} {
		head = append(head, cell{text: h})
	}
	t.rows = append(t.rows, head)
	for _, p := range l.Paths {
		if isp != "" && p.ISP != isp {
			continue
		}
		row := []cell{{text: p.ISP}, {text: p.Server.String()}}
		for _, n := range []int64{p.Dials, p.Connections, p.Blocked, p.Up, p.Down, p.Dropped} {
			row = append(row, cell{text: strconv.FormatInt(n, 10)})
		}
		t.rows = append(t.rows, row)
	}
	if err := t.print(w); err != nil {
		return err
	}
	times := make(map[string]int)
	var open []string
	for _, d := range l.Directs {
		if isp != "" && d.ISP != isp {
			continue
		}
		line := fmt.Sprintf("%s from %s", d.Address, d.ISP)
		if times[line]++; times[line] == 1 {
			open = append(open, line)
		}
	}
	for _, line := range open {
		fmt.Fprintf(w, "in the open: %s, %s\n", line, count(times[line], "time"))
	}
	for _, o := range l.Outages {
		if isp == "" || o.ISP == isp {
			until := "it still is"
			if !o.Until.IsZero() {
				until = "for " + o.Until.Sub(o.From).Round(time.Millisecond).String()
			}
			fmt.Fprintf(w, "cut off: %s, %s\n", o.ISP, until)
		}
	}
	printBurns(w, l.Burns, isp)
	addresses, tenants := l.Addresses, len(l.Tenants)
	if isp != "" {
		addresses, tenants = l.AddressesAt[isp], l.TenantsAt[isp]
	}
	_, err := fmt.Fprintf(w, "under a rule: %s, %s\n", count(int(addresses), "address"), count(tenants, "tenant"))
	return err
}

// printBurns prints how many endpoints each ISP has burnt, and how.
func printBurns(w io.Writer, burns []remote.Burn, isp string) {
	var isps []string
	causes := make(map[string]map[string]int)
	for _, b := range burns {
		if isp != "" && b.ISP != isp {
			continue
		}
		if causes[b.ISP] == nil {
			isps = append(isps, b.ISP)
			causes[b.ISP] = make(map[string]int)
		}
		causes[b.ISP][b.Cause]++
	}
	slices.Sort(isps)
	for _, name := range isps {
		var all []string
		n := 0
		for _, cause := range slices.Sorted(maps.Keys(causes[name])) {
			n += causes[name][cause]
			all = append(all, fmt.Sprintf("%d %s", causes[name][cause], cause))
		}
		fmt.Fprintf(w, "burnt at %s: %s, %s\n", name, count(n, "endpoint"), strings.Join(all, ", "))
	}
}

// printDocument prints JSON for scripts.
func printDocument(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// seconds is a duration as JSON has it.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
