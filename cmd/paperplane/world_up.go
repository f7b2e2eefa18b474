package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/remote"
)

func worldUpCommand(p *program) *cobra.Command {
	o := &worldPlan{}
	f := &worldFlags{}
	cmd := &cobra.Command{
		Use:   "up --scenario SCENARIO [flags]",
		Short: "Keep a world up, for 'exec' and the other commands",
		Long: `Make a world and keep it up, until Ctrl-C, SIGTERM or 'paperplane world down'. It
says what is where once all of it is there. The other commands find it by
themselves, unless --socket puts it elsewhere.`,
		Example: `  paperplane world up --scenario tspu-2025
  paperplane world up --scenario ./mine.yaml --socket ./private/world`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.read()
			if err != nil {
				return err
			}
			// What the environment leads to may be the world that this runs in.
			socket := cmp.Or(f.socket, os.Getenv(handedOn), remote.Socket())
			return o.perform(p, cmd.CommandPath(), s, socket, func(w *stage) (int, error) {
				client := remote.NewClient(socket)
				is, err := client.World(cmd.Context())
				if err == nil {
					fmt.Fprintf(p.stdout, "world %q is up at %s\n", s.Title, socket)
					err = printWorld(p.stdout, is)
				}
				if err != nil {
					return 0, err
				}
				select {
				case <-w.over.Done():
				case <-cmd.Context().Done():
				}
				return statusOK, nil
			})
		},
	}
	o.flags(cmd)
	f.flags(cmd)
	o.log.flags(cmd)
	return cmd
}

func worldShowCommand(p *program) *cobra.Command {
	f := &worldFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [flags]",
		Short: "Say what is where in a running world",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := f.client().World(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printDocument(p.stdout, w)
			}
			return printWorld(p.stdout, w)
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func worldDownCommand(*program) *cobra.Command {
	f := &worldFlags{}
	cmd := &cobra.Command{
		Use:   "down [flags]",
		Short: "End a running world",
		Long: `End a running world, and wait until another can take its place: programs in it
have 3 s to come to an end. A program in the world that says so does not wait.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return remote.End(cmd.Context(), f.path()) },
	}
	f.flags(cmd)
	return cmd
}

func worldLaunchCommand(p *program) *cobra.Command {
	f := &worldFlags{}
	var order remote.Launch
	var cloud, in string
	var port int
	cmd := &cobra.Command{
		Use:   "launch --cloud CLOUD [flags]",
		Short: "Take a machine in a cloud: an endpoint, and print its URL, or a bare one, and print its address",
		Long: `Take a machine in a cloud of a running world. It is an endpoint, with a SOCKS5
server of paperplane's that asks nobody for a password, and its URL is printed; or,
with --bare, nothing runs on it, and its address is printed, for 'exec' to run a
program of your own there.`,
		Example: `  paperplane world launch --cloud amazon
  addr=$(paperplane world launch --cloud amazon --bare)
  paperplane world exec --host "$addr" -- microsocks -i "$addr" -p 1080`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cloud == "" {
				return usagef("--cloud: needed, the name of one: 'paperplane world show' lists them")
			}
			order.Cloud, order.Port = cloud, uint16(port)
			if in != "" {
				wish, err := worldPrefixes([]string{in})
				if err != nil {
					return usagef("--in: %w", errors.Unwrap(err))
				}
				order.In = wish[0]
			}
			h, err := f.client().Launch(cmd.Context(), order)
			if err != nil {
				return err
			}
			what := h.URL
			if order.Bare {
				what = h.Address.String()
			}
			_, err = fmt.Fprintln(p.stdout, what)
			return err
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&cloud, "cloud", "", "which `CLOUD`")
	_ = cmd.RegisterFlagCompletionFunc("cloud", f.completeClouds)
	cmd.Flags().BoolVar(&order.Bare, "bare", false, "nothing runs on it")
	cmd.Flags().StringVar(&in, "in", "", "where its address lies: a CIDR block, or an address")
	cmd.Flags().Var(number{&port, 1, 65535}, "port", "where an endpoint listens (default 1080)")
	return cmd
}

func worldReleaseCommand(*program) *cobra.Command {
	f := &worldFlags{}
	cmd := &cobra.Command{
		Use:               "release ADDRESS... [flags]",
		Short:             "Give machines back: they fall silent, and what runs on them ends",
		ValidArgsFunction: f.completeHosts,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("needs an address")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := worldPrefixes(args)
			if err != nil {
				return err
			}
			for _, a := range addrs {
				if !a.IsSingleIP() {
					return usagef("must be an address, got %s", a)
				}
				if err := f.client().Release(cmd.Context(), a.Addr()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f.flags(cmd)
	return cmd
}

// printWorld prints what is where.
func printWorld(w io.Writer, is remote.World) error {
	var t table
	row := func(kind string, cells ...string) {
		line := []cell{{text: kind}}
		for _, c := range cells {
			line = append(line, cell{text: c})
		}
		t.rows = append(t.rows, line)
	}
	for _, i := range is.ISPs {
		note := "applies the registry by " + i.Apply
		if i.Lag > 0 {
			note += " after " + short(seconds(i.Lag))
		}
		if i.Rules > 0 {
			note += "; " + count(i.Rules, "rule")
		}
		if i.Down {
			note += "; its network is down"
		}
		row("isp", i.Name, i.Address.String(), note)
	}
	for _, c := range is.Clouds {
		var prefixes []string
		for _, x := range c.Prefixes {
			prefixes = append(prefixes, x.String())
		}
		const most = 4
		if more := len(prefixes) - most; more > 0 {
			prefixes = append(prefixes[:most], fmt.Sprintf("and %d more", more))
		}
		row("cloud", c.Name, strings.Join(prefixes, ", "), count(len(c.Tenants), "tenant"))
	}
	for _, h := range is.Hosts {
		switch h.Kind {
		case remote.Destination:
			row(h.Kind, h.Name, h.Address.String(), "http://"+h.Name+"/")
		case remote.Endpoint:
			row(h.Kind, h.Cloud, h.Address.String(), h.URL)
		default:
			row(h.Kind, h.Cloud, h.Address.String(), "")
		}
	}
	return t.print(w)
}
