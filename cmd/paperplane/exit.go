package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/relay/exit"
)

// exitOptions is the endpoint's command line.
type exitOptions struct {
	listen  string
	login   login
	allow   []netip.Prefix
	clients []netip.Prefix
	drain   time.Duration
	log     logging
}

func exitCommand(p *program) *cobra.Command {
	o := &exitOptions{listen: "0.0.0.0:1080", drain: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "exit [flags]",
		Short: "Run an endpoint: a SOCKS5 server for a machine that can reach the destinations",
		Long: `Run an endpoint: a SOCKS5 server that dials destinations from the machine it
runs on, such as one rented in a cloud.

It does not reach special-purpose addresses: loopback, private and link-local
networks, cloud metadata, or this machine itself. --allow makes exceptions.

--listen on anything but loopback needs --user and --pass-file, or --allow-client
with the addresses that may use it without a password. SOCKS5 is not encrypted:
the password and the destinations can be read on the way.`,
		Example: `  paperplane exit --user relay --pass-file pass.txt
  paperplane exit --listen [::]:443 --allow-client 192.0.2.0/24`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(address{&o.listen}, "listen", "where relays connect; port 0 takes a free one")
	f.StringVar(&o.login.user, "user", "", "user name that relays must give")
	f.StringVar(&o.login.passFile, "pass-file", "", "file with the password that relays must give")
	f.Var(prefixes{&o.clients}, "allow-client", "serve only these addresses, without a password if there is no --user; repeatable")
	f.Var(prefixes{&o.allow}, "allow", "reach these special-purpose destinations as well; repeatable")
	f.Var(duration{to: &o.drain, zero: true}, "drain", "how long open streams may go on after the first signal")
	o.log.flags(cmd)
	return cmd
}

func (o *exitOptions) run(ctx context.Context, p *program) error {
	if err := o.login.check(); err != nil {
		return err
	}
	at, err := resolveListen(o.listen)
	if err != nil {
		return err
	}
	if !onLoopback(at) && o.login.user == "" && len(o.clients) == 0 {
		return usagef("--listen %s: others can reach it, so it needs --user and --pass-file, or --allow-client", o.listen)
	}
	log := o.log.logger(p.stderr)
	users, err := o.login.users(log)
	if err != nil {
		return err
	}
	l, err := listen(ctx, at)
	if err != nil {
		return err
	}
	srv := &exit.Server{Users: users, Clients: o.clients, Allow: o.allow, Logger: log}
	fmt.Fprintf(p.stdout, "exit listens on socks5://%s\n", l.Addr())
	stopping := context.AfterFunc(ctx, func() {
		log.Info("stopping; signal again to end at once", "drain", o.drain)
	})
	defer stopping()
	if err := serve(ctx, srv, l, o.drain); errors.Is(err, errCut) {
		log.Warn("stopped; " + err.Error())
	} else if err != nil {
		return err
	}
	return nil
}
