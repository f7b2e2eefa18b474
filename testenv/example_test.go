package testenv_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// A client in one ISP reaches a destination through an endpoint, until the
// blocker lists the prefix that the endpoint lives in.
func Example() {
	world := testenv.New(testenv.Config{Seed: 1})
	defer func() {
		if err := world.Close(); err != nil {
			fmt.Println(err) // names what hangs
		}
	}()

	// The world: who is where, and how far from each other.
	isp := world.ISP("north", testenv.ISPConfig{
		Latency: 2 * time.Millisecond,
		Apply:   blocker.Reset(), // what it does to addresses that are listed
	})
	prefix := netip.MustParsePrefix("52.58.0.0/15")
	cloud := world.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{prefix}})
	endpoint, err := cloud.Launch(testenv.EndpointConfig{User: "u", Password: "p"})
	if err != nil {
		fmt.Println(err)
		return
	}
	site := world.Destination("telegram.lab", testenv.DestinationConfig{})
	_ = site.Serve(80, func(c net.Conn) { _, _ = io.WriteString(c, "hello\n") })

	// The program under test: here, a bare SOCKS5 client. All that it needs
	// from the world is the ISP's DialContext.
	spec := endpoint.Spec()
	socks, err := proxy.SOCKS5("tcp", spec.Address(), &proxy.Auth{User: spec.User, Password: spec.Password}, vantage{isp})
	if err != nil {
		fmt.Println(err)
		return
	}
	ask := func() {
		c, err := socks.(proxy.ContextDialer).DialContext(context.Background(), "tcp", "telegram.lab:80")
		if err != nil {
			fmt.Println("failed")
			return
		}
		defer c.Close()
		answer, _ := io.ReadAll(c)
		fmt.Print(string(answer))
	}

	ask()
	world.Block(prefix)
	ask()

	// The truth.
	l := world.Ledger()
	p := l.Path("north", netip.AddrPortFrom(endpoint.Addr(), 1080))
	fmt.Println("dials", p.Dials, "blocked", p.Blocked, "addresses listed", l.Addresses)
	fmt.Println("burnt", l.Burns[0].Cause)
	// Output:
	// hello
	// failed
	// dials 2 blocked 1 addresses listed 131072
	// burnt by prefix
}

// vantage makes an ISP what package proxy calls a dialer.
type vantage struct{ *testenv.ISP }

func (v vantage) Dial(network, address string) (net.Conn, error) {
	return v.DialContext(context.Background(), network, address)
}
