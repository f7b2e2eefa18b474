package exit_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/paperplane-relay/paperplane/relay/exit"
)

func TestGuard(t *testing.T) {
	var g exit.Guard
	for _, s := range []string{
		"8.8.8.8", "52.58.4.7", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1",
		"192.0.1.1", "198.17.255.255", "198.20.0.1", "223.255.255.255", "169.253.1.1", "11.0.0.1",
		"2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2001:200::1", "2001:4860::8888",
		"2606:4700::5efe:808:808", "2606:4700::200:5efe:808:808", "3ffe::1",
	} {
		if err := g.Check(netip.MustParseAddr(s)); err != nil {
			t.Errorf("%s is refused: %v", s, err)
		}
	}
	for _, s := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.0.192", "192.0.2.1",
		"192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::808:808", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "64:ff9b:1:7f00:0:100::",
		"100::1", "100:0:0:1::1", "2001::1", "2001:0:a00:1::f7f7:f7f7", "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1",
		"2001:1ff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "5f00::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1",
		"2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1",
	} {
		if err := g.Check(netip.MustParseAddr(s)); !errors.Is(err, exit.ErrGuarded) {
			t.Errorf("%s: %v, want it refused", s, err)
		}
	}
	if err := g.Check(netip.Addr{}); !errors.Is(err, exit.ErrGuarded) {
		t.Errorf("no address: %v", err)
	}
}

// Every address of this machine is refused, whatever it is.
func TestGuardOwnAddresses(t *testing.T) {
	var g exit.Guard
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if err := g.Check(ip); !ok || !errors.Is(err, exit.ErrGuarded) {
			t.Errorf("%v: %v, want it refused", a, err)
		}
	}
}

func TestGuardAllow(t *testing.T) {
	g := exit.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("64:ff9b:1::/48")}}
	for s, allowed := range map[string]bool{
		"10.1.2.3":             true,
		"::ffff:10.1.2.3":      true,
		"64:ff9b::a01:203":     true,
		"10.2.0.1":             false,
		"2002:808:808::1":      true,
		"2002:a01:203::1":      true,
		"2002:7f00:1::1":       false, // the exception is not for what is embedded
		"64:ff9b::7f00:1":      false,
		"64:ff9b:1::7f00:1":    false,
		"2606::5efe:10.1.2.3":  true,
		"2606::5efe:127.0.0.1": false,
	} {
		if err := g.Check(netip.MustParseAddr(s)); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed %v", s, err, allowed)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add([]byte{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1})
	f.Add([]byte{127, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		var g exit.Guard
		if err := g.Check(a); err == nil && !a.Unmap().IsGlobalUnicast() {
			t.Errorf("%s is allowed", a)
		}
		if err := g.Check(a); err == nil && a.Unmap().IsPrivate() {
			t.Errorf("%s is allowed", a)
		}
	})
}
