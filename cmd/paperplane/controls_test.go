package main

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
)

func TestControls(t *testing.T) {
	known := names{
		"up.example":    {"9.9.9.9"},
		"two.example":   {"192.168.1.1", "149.112.112.112"},
		"lied.example":  {"10.10.34.34"},
		"exit.example":  {"52.58.4.7"},
		"probe.example": {"52.58.4.8"},
	}
	specs := []policy.Spec{{Host: "52.58.4.7", Port: 1080, Addr: netip.MustParseAddr("52.58.4.7")}}
	targets := []probe.Target{{TLS: true, Host: "probe.example", Port: 443}}
	for _, c := range []struct{ control, want, err, warning string }{
		{"1.1.1.1:443", "1.1.1.1:443", "", ""},
		{"[2620:fe::fe]:53", "[2620:fe::fe]:53", "", ""},
		{"up.example:443", "9.9.9.9:443", "", ""},
		{"two.example:443", "149.112.112.112:443", "", ""},
		{"lied.example:443", "", "", "10.10.34.34 is private"},
		{"unknown.example:443", "", "", "cannot be resolved"},
		{"exit.example:443", "", "--control exit.example:443: must not have the address of an endpoint, 52.58.4.7:1080: that would expose it", ""},
		{"Probe.example.:80", "52.58.4.8:80", "--control Probe.example.:80: must not be a probe target as well: those are reached through endpoints only", ""},
	} {
		t.Run(c.control, func(t *testing.T) {
			known["Probe.example."] = known["probe.example"]
			var flag controlHosts
			if err := flag.Set(c.control); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			got, err := flag.resolve(t.Context(), known, specs, targets, slog.New(slog.NewTextHandler(&log, nil)))
			var want []netip.AddrPort
			if c.want != "" {
				want = append(want, netip.MustParseAddrPort(c.want))
			}
			if !slices.Equal(got, want) {
				t.Errorf("want %v, got %v", want, got)
			}
			if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
				t.Errorf("want %q, got %v", c.err, err)
			}
			if (log.Len() == 0) != (c.warning == "") || !strings.Contains(log.String(), c.warning) {
				t.Errorf("want a warning with %q, got %q", c.warning, log.String())
			}
		})
	}
}

// What is in a network of this machine shows only that this network works.
func TestControlInOurNetwork(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		n, ok := addr.(*net.IPNet)
		if !ok {
			continue
		}
		if a, ok := netip.AddrFromSlice(n.IP); ok && beyond(a.Unmap()) == nil {
			t.Errorf("%s is this machine's own", a)
		}
		if a, ok := netip.AddrFromSlice(n.IP.Mask(n.Mask)); ok && !onLink(a.Unmap()) {
			t.Errorf("%s is in the network of %s", a, n)
		}
	}
}
