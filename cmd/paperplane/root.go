package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// program is what every subcommand has of the outside world. Tests give it
// buffers; whether there is a terminal behind them is found out where it
// matters.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// subcommands are the program's parts, in the order in which help lists them.
// A new one is one file with its constructor, and one line here.
var subcommands = []func(*program) *cobra.Command{
	relayCommand,
	exitCommand,
	checkCommand,
	labCommand,
	scenariosCommand,
	worldCommand,
	benchCommand,
	soakCommand,
	studyCommand,
	versionCommand,
	completionCommand,
}

// run does what the command line says and returns the exit status. The end of
// ctx asks a command that runs on to come to an orderly end.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	root := rootCommand(p)
	// Cobra takes a nil slice to mean the process's own arguments.
	root.SetArgs(append([]string{}, args...))
	cmd, err := root.ExecuteContextC(ctx)
	return report(stderr, cmd.CommandPath(), err)
}

func rootCommand(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "paperplane",
		Short: "A local SOCKS5 relay that stays connected while the addresses behind it are being blocked",
		Long: `paperplane is a local SOCKS5 relay that stays connected while the addresses
behind it are being blocked.`,
		Version: buildVersion(),
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return nil
			case strings.Contains(args[0], "://"):
				// Not repeated: there may be a password in it.
				return usagef("a URL needs a command before it: 'paperplane relay URL'")
			}
			return unknownCommand(cmd, args[0])
		},
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate(helpTemplate)
	root.SetVersionTemplate(versionLine())
	root.SetHelpCommand(helpCommand())
	root.CompletionOptions.DisableDefaultCmd = true
	for _, command := range subcommands {
		root.AddCommand(command(p))
	}
	return root
}

// unknownCommand names the command that was perhaps meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	if similar := cmd.SuggestionsFor(name); len(similar) > 0 {
		return usagef("unknown command %q: is it %q?", name, similar[0])
	}
	return usagef("unknown command %q", name)
}
