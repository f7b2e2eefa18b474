package bench_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// TestMain makes the test program play the other processes too, if its first
// argument says so.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "upstream":
			playUpstream(os.Args[2:])
		case "pass":
			playPass(os.Args[2], os.Args[3])
		}
	}
	goleak.VerifyTestMain(m)
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}

func playUpstream(args []string) {
	var origin *bench.Ports
	if len(args) > 1 {
		origin = new(must(bench.ParsePorts(args[1])))
	}
	u := must(bench.NewUpstream(must(netip.ParseAddr(args[0])), origin))
	fmt.Println(u.Ports())
	select {}
}

// playPass passes every connection on.
func playPass(at, to string) {
	l := must(net.Listen("tcp", at))
	for {
		c := must(l.Accept())
		go func() {
			defer c.Close()
			d, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer d.Close()
			go func() {
				_, _ = io.Copy(d, c)
				_ = d.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(c, d)
		}()
	}
}
