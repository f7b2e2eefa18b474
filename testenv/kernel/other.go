//go:build !linux

package kernel

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

var errOther = &UnsupportedError{What: "network namespaces are Linux's"}

// Supported reports what is missing: Linux.
func Supported() error { return errOther }

// Main returns what run returns.
func Main(run func() int) int { return run() }

// Delays reports what is missing: Linux.
func Delays() error { return errOther }

// Network is a network of namespaces, which Linux has.
type Network struct{}

// Host is a machine of a Network.
type Host struct{}

// Vantage is an ISP of a Network.
type Vantage struct{}

// New returns an [*UnsupportedError], as all methods would.
func New(Config) (*Network, error) { return nil, errOther }

// The methods are for programs to compile: there is nothing to call them on.

func (n *Network) Close() error                   { return nil }
func (n *Network) Route(...netip.Prefix) error    { return errOther }
func (n *Network) Host(netip.Addr) (*Host, error) { return nil, errOther }
func (n *Network) Vantage(netip.Addr, netip.Prefix, Observer) (*Vantage, error) {
	return nil, errOther
}

func (h *Host) Addr() netip.Addr                                       { return netip.Addr{} }
func (h *Host) Dial(context.Context, netip.AddrPort) (net.Conn, error) { return nil, errOther }
func (h *Host) Listen(uint16) (net.Listener, error)                    { return nil, errOther }
func (h *Host) ListenLoopback(uint16) (net.Listener, error)            { return nil, errOther }
func (h *Host) Abort()                                                 {}
func (h *Host) Hang()                                                  {}
func (h *Host) Resume()                                                {}
func (h *Host) Vanish()                                                {}
func (h *Host) Connections() int                                       { return 0 }
func (h *Host) Start(*exec.Cmd) error                                  { return errOther }

func (v *Vantage) Host() *Host                                  { return nil }
func (v *Vantage) Rules(*blocker.RuleSet) error                 { return errOther }
func (v *Vantage) Check(blocker.Rule) error                     { return errOther }
func (v *Vantage) Cut(bool) error                               { return errOther }
func (v *Vantage) Lose(_, _ float64) error                      { return errOther }
func (v *Vantage) Delay(time.Duration) error                    { return errOther }
func (v *Vantage) Sight(bool) error                             { return errOther }
func (v *Vantage) Settle() error                                { return errOther }
func (v *Vantage) Lost() (cut, lost uint64, err error)          { return 0, 0, errOther }
func (v *Vantage) Capture(func(net.Conn), bool) error           { return errOther }
func (v *Vantage) Release() error                               { return errOther }
func (v *Vantage) Traffic() (map[netip.AddrPort]Traffic, error) { return nil, errOther }
