package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/remote"
)

func worldCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "world COMMAND",
		Short: "Run any program in a network with a blocker in it (Linux)",
		Long: `Run programs of any language in a world of their own: clouds, ISPs with a blocker
at the border, and destinations, on Linux network namespaces. Packets are the
kernel's, nothing leaves the machine, and root is not needed where users may make
namespaces.

'run' makes a world for one command. 'up' keeps one, in which 'exec' runs
programs. Both take their world from a scenario: a file, or one that is built in.
The other commands act on a running world, from outside or from a program in it:
they find it by ` + remote.Variable + `, which programs inside have, or where
'up' puts it if nobody says otherwise.

Programs in an ISP dial across its border. On a machine of a cloud a program must
bind the machine's own address, since all machines share what is beneath.
Machines know the destinations by name; in an ISP a name is asked for by DNS, in
the open, and the ledger notes it. A world is no sandbox: programs have your files.`,
		Example: `  paperplane world run --scenario tspu-2025 --skip 7h -- sh -c \
    'curl -sS -m 5 -o big -x "$(paperplane world launch --cloud hetzner)" http://telegram.lab/bytes/100000'
  paperplane world up --scenario tspu-2025
  paperplane world block 52.58.0.0/15 --isp mts --do freeze:16KiB`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
	}
	for _, command := range []func(*program) *cobra.Command{
		worldRunCommand,
		worldUpCommand,
		worldExecCommand,
		worldShowCommand,
		worldLaunchCommand,
		worldReleaseCommand,
		worldBlockCommand,
		worldUnblockCommand,
		worldRulesCommand,
		worldReplaceCommand,
		worldCutCommand,
		worldRestoreCommand,
		worldLedgerCommand,
		worldDownCommand,
	} {
		cmd.AddCommand(command(p))
	}
	return cmd
}

// worldFlags are those of what acts on a running world.
type worldFlags struct {
	socket string
	isp    string
}

// flags adds the socket's.
func (f *worldFlags) flags(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.socket, "socket", "", "the `PATH` of the world's socket, if it is not where "+remote.Variable+" or the default says")
}

// ispFlag adds the ISP's.
func (f *worldFlags) ispFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().Var(named{&f.isp}, "isp", usage)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("isp", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if w, err := f.glance(cmd); err == nil {
			for _, i := range w.ISPs {
				names = append(names, i.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// named is the name of something. An empty one, as of a variable that is not set,
// must not pass for none, which often means everywhere.
type named struct{ to *string }

func (n named) String() string { return "" }
func (n named) Type() string   { return "string" }

func (n named) Set(name string) error {
	if name == "" {
		return errors.New("must be a name, got none")
	}
	*n.to = name
	return nil
}

// path is where the world is.
func (f *worldFlags) path() string {
	switch inherited := os.Getenv(remote.Variable); {
	case f.socket != "":
		return f.socket
	case inherited != "":
		return inherited
	}
	return remote.Socket()
}

// glance is what completion has of the world: who waits for a key does not wait
// for a world that hangs.
func (f *worldFlags) glance(cmd *cobra.Command) (remote.World, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	return f.client().World(ctx)
}

func (f *worldFlags) client() *remote.Client { return remote.NewClient(f.path()) }

// needISP refuses what does not say where.
func (f *worldFlags) needISP() error {
	if f.isp == "" {
		return usagef("--isp: needed, the name of one: 'paperplane world show' lists them")
	}
	return nil
}

// isps are the named ISP, or all.
func (f *worldFlags) isps(ctx context.Context) (names []string, err error) {
	if f.isp != "" {
		return []string{f.isp}, nil
	}
	w, err := f.client().World(ctx)
	for _, i := range w.ISPs {
		names = append(names, i.Name)
	}
	return names, err
}

// completeClouds and completeHosts are for what takes these.
func (f *worldFlags) completeClouds(cmd *cobra.Command, _ []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if w, err := f.glance(cmd); err == nil {
		for _, c := range w.Clouds {
			names = append(names, c.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (f *worldFlags) completeHosts(cmd *cobra.Command, _ []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if w, err := f.glance(cmd); err == nil {
		for _, h := range w.Hosts {
			if h.Name != "" {
				names = append(names, h.Name)
			}
			names = append(names, h.Address.String())
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// worldPrefixes are arguments: CIDR blocks, or addresses for themselves alone.
func worldPrefixes(args []string) (all []netip.Prefix, err error) {
	for _, a := range args {
		if err := (prefixes{&all}).Set(a); err != nil {
			return nil, usagef("%w", err)
		}
	}
	return all, nil
}
