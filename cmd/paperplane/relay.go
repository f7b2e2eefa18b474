package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
)

// relayOptions is the relay's command line.
type relayOptions struct {
	listen    string
	endpoints string
	active    int
	policy    string
	rotate    time.Duration
	patience  time.Duration
	clients   int
	warm      int
	replay    string
	probes    probeTargets
	controls  controlHosts
	login     login
	drain     time.Duration
	log       logging
}

func relayCommand(p *program) *cobra.Command {
	o := &relayOptions{
		listen: "127.0.0.1:1080", active: 8, policy: "sticky", patience: 30 * time.Second,
		clients: relay.MostClients(), warm: relay.DefaultWarm, replay: "safe", drain: 10 * time.Second,
	}
	cmd := &cobra.Command{
		Use:   "relay [flags] [URL ...]",
		Short: "Run the relay: a local SOCKS5 port in front of many endpoints",
		Long: `Run the relay: a SOCKS5 port whose connections leave through the endpoints, and
stay up while endpoints are being blocked.

Endpoints are URLs as in $ALL_PROXY, given as arguments or one a line in a file:

  # comment
  socks5://user:password@198.51.100.7:1080
  socks5h://exit.example.org:1080  provider=hetzner region=fsn weight=2

Arguments can be seen by everybody on this machine: URLs with a password belong
in a file. A host name stands for one endpoint per address. --active of the
endpoints are in use; the others are the reserve, which is not touched until an
endpoint is lost.

When no endpoint answers, is it they or our own network? To find out, endpoints
of the reserve are exposed, one after the other. With --control the relay first
connects to a host of your choice, on the internet, that nobody blocks and where
a connection gives nothing away; it says nothing there, and never connects while
endpoints answer.

Clients are told apart by their SOCKS user name, else by their address. On
loopback any user name and password will do; --listen on any other address needs
--user and --pass-file.`,
		Example: `  paperplane relay --endpoints endpoints.txt
  paperplane relay --listen 127.0.0.1:9050 socks5://198.51.100.7:1080 socks5://203.0.113.9:1080
  curl -x socks5h://127.0.0.1:1080 https://example.org/`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), p, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(address{&o.listen}, "listen", "where clients connect; port 0 takes a free one")
	f.StringVar(&o.endpoints, "endpoints", "", "file with one endpoint URL a line; - reads standard input")
	f.Var(number{&o.active, 1, 256}, "active", "endpoints in use at a time; the others are the reserve")
	choiceFlag(cmd, &o.policy, "policy", "which endpoint serves which client", policy.SelectorNames()...)
	f.Var(duration{to: &o.rotate, zero: true}, "rotate-every", "move each client to another endpoint this often; 0s is never")
	f.Var(duration{to: &o.patience}, "patience", "how long a request may wait for an endpoint that works")
	choiceFlag(cmd, &o.replay, "replay", "which first flights may be sent again through another endpoint", "safe", "always", "never")
	f.Var(number{&o.warm, 0, 16}, "warm", "connections kept ready for each endpoint that clients ask for; 0 keeps none")
	f.Var(number{&o.clients, 1, 1 << 20}, "max-clients", "open client connections at most; by default what the limit on open files is enough for")
	f.Var(&o.probes, "probe", "URL to fetch through an endpoint to examine it; repeatable (default: what 'paperplane exit' serves itself)")
	f.Var(&o.controls, "control", "host that shows, when no endpoint answers, whether our own network works; repeatable")
	f.StringVar(&o.login.user, "user", "", "user name that clients must give")
	f.StringVar(&o.login.passFile, "pass-file", "", "file with the password that clients must give")
	f.Var(duration{to: &o.drain, zero: true}, "drain", "how long open streams may go on after the first signal")
	o.log.flags(cmd)
	return cmd
}

func (o *relayOptions) run(ctx context.Context, p *program, args []string) error {
	if err := o.login.check(); err != nil {
		return err
	}
	at, err := resolveListen(o.listen)
	if err != nil {
		return err
	}
	if !onLoopback(at) && o.login.user == "" {
		return usagef("--listen %s: others can reach it, so it needs --user and --pass-file", o.listen)
	}
	log := o.log.logger(p.stderr)
	if most := relay.MostClients(); o.clients > most {
		log.Warn("more clients than the limit on open files allows for: see ulimit -n", "max_clients", o.clients, "enough_for", most)
	}
	users, err := o.login.users(log)
	if err != nil {
		return err
	}
	specs, err := p.endpoints(ctx, o.endpoints, args, log)
	if err != nil {
		return err
	}

	witnesses, err := o.controls.resolve(ctx, net.DefaultResolver, specs, o.probes.targets, log)
	if err != nil {
		return err
	}

	dialer := &upstream.Dialer{}
	members, err := o.pool(dialer, specs, controls(witnesses, dialer), log)
	if err != nil {
		return err
	}
	var replay relay.Replay
	if err := replay.UnmarshalText([]byte(o.replay)); err != nil {
		return usagef("--replay: %w", err)
	}
	srv, err := relay.New(relay.Config{
		Pool: members, Upstream: dialer, Users: users, Patience: o.patience, MaxClients: o.clients,
		Warm: warmth(o.warm), Replay: replay, Logger: log,
	})
	if err != nil {
		return err
	}
	l, err := relay.Listen(ctx, at.String())
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}

	active := min(o.active, len(specs))
	fmt.Fprintf(p.stdout, "relay listens on socks5://%s with %s: %d active, %d in reserve\n",
		l.Addr(), count(len(specs), "endpoint"), active, len(specs)-active)
	return o.serve(ctx, members, srv, l, log)
}

// warmth is --warm as relay.Config takes it, where 0 is the default.
func warmth(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func (o *relayOptions) pool(dialer *upstream.Dialer, specs []policy.Spec, controls []pool.Control, log *slog.Logger) (*pool.Pool, error) {
	selector, err := policy.SelectorByName(o.policy)
	if err != nil {
		return nil, usagef("--policy: %w", err)
	}
	members, err := pool.New(pool.Config{
		Active: o.active, Selector: selector, RotateEvery: o.rotate, Logger: warnings(log),
		Prober: &probe.Prober{Upstream: dialer, Targets: o.probes.targets}, Controls: controls,
	})
	if err != nil {
		return nil, err
	}
	return members, members.Add(specs...)
}

// serve runs the pool, the log of its events, and the server, until ctx ends or
// the server fails. The pool outlives the server's drain.
func (o *relayOptions) serve(ctx context.Context, members *pool.Pool, srv *relay.Server, l net.Listener, log *slog.Logger) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	poolCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	parts.Go(func() {
		if err := members.Run(poolCtx); !errors.Is(err, context.Canceled) {
			log.Error("the pool ended", "err", err)
		}
	})
	events := members.Watch()
	parts.Go(func() {
		defer events.Close()
		logEvents(poolCtx, events, log)
	})
	stopping := context.AfterFunc(ctx, func() {
		log.Info("stopping; signal again to end at once", "streams", srv.Stats().Open, "drain", o.drain)
	})
	defer stopping()
	err := serve(ctx, srv, l, o.drain)
	if errors.Is(err, errCut) {
		log.Warn("stopped; " + err.Error())
		return nil
	}
	return err
}
