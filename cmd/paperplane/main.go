// Command paperplane is a local SOCKS5 relay that stays connected while the
// addresses behind it are being blocked.
//
// Each subcommand is a file of this package. Flags, files, terminals and
// signals are known only here: the packages below take values.
//
// The exit status is 0 for success, 1 for a failure while running, and 2 for a
// command line, an endpoint list or a scenario that cannot be meant as it is
// written. What runs a program in a world ends with that program's status, and
// with 125 if it could not run it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/paperplane-relay/paperplane/testenv/guest"
)

func main() {
	// In a world, this is also what programs are started by.
	guest.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end. From then on signals do what
	// they do by default, so that the second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
