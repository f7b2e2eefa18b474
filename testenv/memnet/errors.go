package memnet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

var errClosedNetwork = errors.New("memnet: network is closed")

// opError is an error as package net would give it: an errno is wrapped in an
// os.SyscallError, anything else stands as it is.
func opError(op string, source, addr netip.AddrPort, err error) error {
	if errno, ok := err.(syscall.Errno); ok { //nolint:errorlint // an errno is never wrapped in here
		call := op
		switch op {
		case "dial":
			call = "connect"
		case "listen":
			call = "bind"
		}
		err = os.NewSyscallError(call, errno)
	}
	e := &net.OpError{Op: op, Net: "tcp", Err: err}
	if source.IsValid() {
		e.Source = net.TCPAddrFromAddrPort(source)
	}
	if addr.IsValid() {
		e.Addr = net.TCPAddrFromAddrPort(addr)
	}
	return e
}
