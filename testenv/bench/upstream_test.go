package bench_test

import (
	"fmt"
	"io"
	"net/netip"
	"testing"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// TestUpstream asks for destinations in all the ways that SOCKS5 has.
func TestUpstream(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	own, err := bench.NewUpstream(loopback, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	services := own.Ports()
	behind, err := bench.NewUpstream(loopback, &services)
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	for name, u := range map[string]*bench.Upstream{"own": own, "behind": behind} {
		for _, host := range []string{"93.184.216.1", "example.org", "x", "[2001:db8::1]"} {
			t.Run(name+" "+host, func(t *testing.T) {
				d, err := proxy.SOCKS5("tcp", u.Ports().SOCKS.String(), nil, proxy.Direct)
				if err != nil {
					t.Fatal(err)
				}
				c, err := d.Dial("tcp", fmt.Sprintf("%s:%d", host, services.Services[bench.Echo].Port()))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				b := []byte("there and back")
				if _, err := c.Write(b); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, len(b))
				if _, err := io.ReadFull(c, got); err != nil || string(got) != string(b) {
					t.Errorf("%q, %v", got, err)
				}
				if c, err := d.Dial("tcp", host+":1"); err == nil {
					c.Close()
					t.Error("there is something at port 1")
				}
			})
		}
	}
}

func FuzzParsePorts(f *testing.F) {
	f.Add("upstream 127.0.0.1:1 127.0.0.1:2 127.0.0.1:3 127.0.0.1:4\n")
	f.Add("upstream [::1]:1 a b")
	f.Fuzz(func(t *testing.T, line string) {
		p, err := bench.ParsePorts(line)
		if err != nil {
			return
		}
		if again, err := bench.ParsePorts(p.String()); err != nil || again != p {
			t.Errorf("%q is %v, and then %v, %v", line, p, again, err)
		}
	})
}
