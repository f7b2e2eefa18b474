package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/guest"
	"github.com/paperplane-relay/paperplane/testenv/remote"
)

// runGrace is how long a program that was told to end may take.
const runGrace = 10 * time.Second

func worldRunCommand(p *program) *cobra.Command {
	o := &worldPlan{}
	var isp string
	cmd := &cobra.Command{
		Use:   "run --scenario SCENARIO [flags] -- COMMAND [ARG...]",
		Short: "Make a world for one command, which runs in an ISP of it",
		Long: `Make a world, run a command at an ISP of it, and end the world with the command.
The exit status is the command's; 125 if there is no world to be had, 126 and 127
if the command cannot be run, or is not there, and 128 and its number after a
signal. Whatever the command leaves running ends with it.

The command can say 'paperplane world block ...' and the like: ` + remote.Variable + `
leads to the world. SIGTERM is passed on, and kills after 10s; a second one kills
at once. Ctrl-C is the command's to answer.`,
		Example: `  paperplane world run --scenario tspu-2025 --skip 7h -- sh -c \
    'curl -sS -m 5 -o big -x "$(paperplane world launch --cloud hetzner)" http://telegram.lab/bytes/100000'
  paperplane world run --scenario ./mine.yaml -- go test ./...`,
		Args: needCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.read()
			if err != nil {
				return err
			}
			var isps []string
			for _, i := range s.ISPs {
				isps = append(isps, i.Name)
			}
			if isp == "" {
				isp = isps[0]
			}
			if err := (choice{to: new(string), words: isps}).Set(isp); err != nil {
				return usagef("--isp: %w", err)
			}
			return o.perform(p, cmd.CommandPath(), s, "", func(w *stage) (int, error) { return w.run(p, isp, args) })
		},
	}
	cmd.Flags().SetInterspersed(false)
	o.flags(cmd)
	cmd.Flags().Var(named{&isp}, "isp", "the `ISP` where the command runs (default the scenario's first)")
	_ = cmd.RegisterFlagCompletionFunc("isp", func(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
		if s, err := o.read(); err == nil {
			for _, i := range s.ISPs {
				names = append(names, i.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	o.log.flagsFrom(cmd, "warn")
	return cmd
}

// needCommand wants something to run.
func needCommand(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("needs a command after --")
	}
	return nil
}

// run runs the command to its end.
func (w *stage) run(p *program, isp string, args []string) (int, error) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passed...)
	defer signal.Stop(signals)
	stdin, _ := p.stdin.(*os.File)
	stdout, _ := p.stdout.(*os.File)
	stderr, _ := p.stderr.(*os.File)
	// A terminal's signals reach what is in its foreground by themselves.
	attended := foreground()
	q, err := w.server.Start(remote.Place{ISP: isp}, guest.Program{
		Args: args, Env: environment(w.socket), Stdin: stdin, Stdout: stdout, Stderr: stderr, Apart: !attended,
	})
	if err != nil {
		return 0, err
	}
	over := w.over.Done()
	var late <-chan time.Time
	for {
		select {
		case <-q.Ended():
			return q.Wait(), nil
		case <-over:
			over = nil
			q.Signal(syscall.SIGTERM)
			late = time.After(runGrace)
		case <-late:
			q.Kill()
		case s := <-signals:
			n, ok := s.(syscall.Signal)
			switch {
			case !ok || attended && (n == syscall.SIGINT || n == syscall.SIGQUIT):
			case n != syscall.SIGTERM && n != syscall.SIGINT && n != syscall.SIGHUP:
				q.Signal(n)
			case late != nil:
				q.Kill()
			default:
				q.Signal(n)
				late = time.After(runGrace)
			}
		}
	}
}

func worldExecCommand(p *program) *cobra.Command {
	f := &worldFlags{}
	var host string
	cmd := &cobra.Command{
		Use:   "exec {--isp ISP | --host HOST} [flags] -- COMMAND [ARG...]",
		Short: "Run a command in a running world",
		Long: `Run a command at an ISP of a running world, or on one of its machines: a bare one
that 'launch --bare' gave, an endpoint's, or a destination's, by its name. There a
server must bind the machine's own address: one that binds all of them answers in
the place of every machine, destinations too. Input and output are passed on, signals
too; the exit status is the command's, as with 'run'. Whatever the command leaves
running ends with it, and it ends with this.`,
		Example: `  paperplane world exec --isp mts -- curl -m 5 http://site.lab/
  paperplane world exec --host 52.58.4.7 -- microsocks -i 52.58.4.7 -p 1080`,
		Args: needCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (f.isp == "") == (host == "") {
				return usagef("needs --isp or --host, one of them")
			}
			dir, err := os.Getwd()
			if err != nil {
				return &runError{err}
			}
			stdin, ok1 := p.stdin.(*os.File)
			stdout, ok2 := p.stdout.(*os.File)
			stderr, ok3 := p.stderr.(*os.File)
			if !ok1 || !ok2 || !ok3 {
				return &runError{errors.New("standard input and output must be files")}
			}
			signals := make(chan os.Signal, 16)
			signal.Notify(signals, passed...)
			defer signal.Stop(signals)
			// The signals are the command's, so that none ends the context.
			status, err := f.client().Run(contextWithout(cmd), remote.Program{
				Place: remote.Place{ISP: f.isp, Host: host}, Args: args, Env: environment(absolute(f.path())), Dir: dir,
			}, stdin, stdout, stderr, signals)
			if err != nil {
				return &runError{err}
			}
			return exitStatus(status)
		},
	}
	cmd.Flags().SetInterspersed(false)
	f.flags(cmd)
	f.ispFlag(cmd, "run it at this `ISP`")
	cmd.Flags().Var(named{&host}, "host", "run it on this `HOST`: an address, or a destination's name")
	_ = cmd.RegisterFlagCompletionFunc("host", f.completeHosts)
	return cmd
}
