package kernel

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A SYN over IPv4, and two bytes of payload over IPv6.
const (
	synPacket  = "4500002c 00004000 40060000 64400001 343a0102 9c4001bb 00000007 00000000 60020000 00000000 020405b4"
	dataPacket = "60000000 00160640 20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002 01bb9c40 00000009 00000001 50180000 00000000 6869"
)

func TestParse(t *testing.T) {
	p, ok := parse(bytesOf(t, synPacket))
	if !ok || p.kind() != blocker.Syn || p.seq != 7 || p.source != netip.MustParseAddrPort("100.64.0.1:40000") || p.destination != netip.MustParseAddrPort("52.58.1.2:443") || p.size != 0 {
		t.Errorf("%+v, %v", p, ok)
	}
	p, ok = parse(bytesOf(t, dataPacket))
	if !ok || p.kind() != blocker.Data || p.destination != netip.MustParseAddrPort("[2001:db8::2]:40000") || string(p.payload) != "hi" {
		t.Errorf("%+v, %v", p, ok)
	}
}

func TestKind(t *testing.T) {
	for flags, want := range map[byte]blocker.Kind{
		syn: blocker.Syn, syn | ack: blocker.SynAck, ack: blocker.Ack, fin | ack: blocker.Fin,
		rst: blocker.Rst, rst | ack: blocker.Rst,
	} {
		if got := (&packet{flags: flags}).kind(); got != want {
			t.Errorf("%05b is %v, want %v", flags, got, want)
		}
	}
	if got := (&packet{flags: fin | ack, size: 1}).kind(); got != blocker.Data {
		t.Errorf("payload with a FIN is %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(bytesOf(f, synPacket))
	f.Add(bytesOf(f, dataPacket))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parse(b)
		if ok && (len(p.payload) > p.size || p.size < 0 || !p.source.IsValid() || !p.destination.IsValid()) {
			t.Errorf("%+v", p)
		}
	})
}
