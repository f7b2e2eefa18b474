package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// resolveTimeout bounds how long names in an endpoint list may take.
const resolveTimeout = 10 * time.Second

// endpoints reads what the user named as endpoints: the URLs in args and the
// list in file ("-" is standard input, "" none). Names are resolved, so that
// each Spec is one address. The order is that of the list, then of args.
func (p *program) endpoints(ctx context.Context, file string, args []string, log *slog.Logger) ([]policy.Spec, error) {
	if file == "" && len(args) == 0 {
		return nil, usagef("needs endpoints: URLs like socks5://198.51.100.7:1080, or --endpoints FILE")
	}
	var specs []policy.Spec
	var errs []error
	if file != "" {
		list, err := p.readList(file, log)
		specs, errs = append(specs, list...), append(errs, err)
	}
	for _, arg := range args {
		spec, err := upstream.Parse(arg)
		if err != nil {
			errs = append(errs, &usageError{err: err})
			continue
		}
		specs = append(specs, spec)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(specs) == 0 {
		return nil, &usageError{err: fmt.Errorf("%s: there is no endpoint in it", file)}
	}
	return resolve(ctx, net.DefaultResolver, specs, log)
}

// readList reads an endpoint list. All of its bad lines are in the error.
func (p *program) readList(file string, log *slog.Logger) ([]policy.Spec, error) {
	name, r := "standard input", p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--endpoints: %w", err)
		}
		defer f.Close()
		name, r = file, io.Reader(f)
	}
	specs, err := upstream.ParseList(name, r)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return nil, err
	} else if err != nil {
		return nil, &usageError{err: err}
	}
	for _, s := range specs {
		if file != "-" && s.User != "" {
			warnReadable(file, "endpoints", log)
			break
		}
	}
	return specs, nil
}

// resolver is what resolve needs of a net.Resolver.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolve gives every endpoint its address. A name stands for one endpoint per
// address: with one address it keeps its name, with several each is named by
// its address. A name that cannot be resolved is left out with a warning, and
// so is an address that was there before. It fails if nothing is left.
func resolve(ctx context.Context, r resolver, specs []policy.Spec, log *slog.Logger) ([]policy.Spec, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	found := make([][]netip.Addr, len(specs))
	failed := make([]error, len(specs))
	var lookups sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, s := range specs {
		if s.Addr.IsValid() {
			found[i] = []netip.Addr{s.Addr}
			continue
		}
		lookups.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i], failed[i] = r.LookupNetIP(ctx, "ip", s.Host)
		})
	}
	lookups.Wait()

	var out []policy.Spec
	seen := make(map[netip.AddrPort]string)
	for i, s := range specs {
		if failed[i] != nil {
			log.Warn("endpoint left out: its name cannot be resolved", "endpoint", s.Name(), "err", failed[i])
			continue
		}
		for _, addr := range found[i] {
			one := s
			one.Addr = addr.Unmap()
			if len(found[i]) > 1 {
				one.Host = one.Addr.String()
			}
			at := netip.AddrPortFrom(one.Addr, one.Port)
			if first, ok := seen[at]; ok {
				log.Warn("endpoint left out: its address is there already", "endpoint", s.Name(), "address", at.String(), "first", first)
				continue
			}
			seen[at] = s.Name()
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no endpoint is left: none of the names can be resolved")
	}
	return out, nil
}
