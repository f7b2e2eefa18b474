//go:build !linux

package relay

import "net"

// bequeath leaves it to package net to set keep-alive on each connection.
func bequeath(*net.ListenConfig) {}
