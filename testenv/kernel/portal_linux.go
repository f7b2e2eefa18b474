package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// portal answers at the border in the place of everybody else.
type portal struct {
	host     *Host
	listener net.Listener
	running  sync.WaitGroup
}

const chainPortal = "portal"

// Capture has each new dial that would cross the border answered there, in the
// name of whoever was dialled and on whatever port, by serve, which gets a
// goroutine for each connection and closes it. Flows from before are dropped, or
// reset. Nothing gets out. While it is in force, Capture again changes nothing.
func (v *Vantage) Capture(serve func(net.Conn), reset bool) error {
	return v.change(func() error {
		if v.portal != nil {
			return nil
		}
		// The border is a machine of its own, and its process the portal.
		p := &portal{host: newHost(v.net, gateway(v.prefix), v.border)}
		l, err := p.host.listen(netip.AddrPortFrom(netip.IPv6Unspecified(), 0), p.host.addr)
		if err != nil {
			return fmt.Errorf("kernel: portal: %w", err)
		}
		p.listener = l
		next := v.line
		next.captive, next.resets = true, reset
		b := nft.New(table)
		next.write(b)
		b.Chain(chainPortal, &nft.Hook{Kind: "nat", Number: unix.NF_INET_PRE_ROUTING, Priority: -100})
		b.Flush(chainPortal) // there may be one that Release could not remove
		port := l.Addr().(*net.TCPAddr).Port
		b.Rule(chainPortal, nft.From(nearLink), nft.TCP(),
			nft.Load(nft.R(0), binary.BigEndian.AppendUint16(nil, uint16(port))...), nft.Redirect(nft.R(0)))
		if err := v.commit(b); err != nil {
			return errors.Join(err, l.Close())
		}
		v.line, v.portal = next, p
		p.running.Go(func() { p.accept(serve) })
		return nil
	})
}

func (p *portal) accept(serve func(net.Conn)) {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { serve(c) })
	}
}

// Release ends a Capture: connections with the portal end with RST. It waits until
// serve has returned for all of them. After an error nobody answers, and nothing
// gets out; Release may be tried again, as may Capture.
func (v *Vantage) Release() error {
	var p *portal
	err := v.change(func() error {
		if p, v.portal = v.portal, nil; p != nil {
			// The RSTs need the translation that goes with the chain.
			p.host.end(true)
		}
		if !v.line.captive {
			return nil
		}
		next := v.line
		next.captive, next.resets = false, false
		b := nft.New(table)
		next.write(b)
		b.Flush(chainPortal)
		b.DeleteChain(chainPortal)
		if err := v.commit(b); err != nil {
			return err
		}
		v.line = next
		return nil
	})
	if p != nil {
		p.running.Wait()
	}
	return err
}
