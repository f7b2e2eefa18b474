package failure_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// suite is what a request sends.
type suite struct {
	name   string
	port   string
	flight []byte
	replay relay.Replay
}

// suites are those that tests are repeated for.
func suites() []suite {
	all := []suite{
		{name: "A/GET", port: "80", flight: []byte("GET / HTTP/1.1\r\nHost: site.lab\r\n\r\n")},
		{name: "A/TLS", port: "443", flight: clientHello("site.lab")},
		{name: "B", port: "9", flight: []byte("?"), replay: relay.Always},
	}
	if brief() {
		return all[:1]
	}
	return all
}

// brief reports whether there is only time for each test once: where time is real
// and -short is set. What is sent and how many
// endpoints there are is no matter of the backend.
func brief() bool { return worldtest.RealTime() && testing.Short() }

// clientHello is the first flight of a real TLS client.
func clientHello(name string) []byte {
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		_ = tls.Client(near, &tls.Config{ServerName: name}).Handshake()
	}()
	buf := make([]byte, 4096)
	n, err := far.Read(buf)
	if err != nil {
		panic(err)
	}
	near.Close()
	return buf[:n]
}

func serve(t *testing.T, h *testenv.Host, port uint16, f func(net.Conn)) {
	t.Helper()
	if err := h.Serve(port, f); err != nil {
		t.Fatal(err)
	}
}

func addrOf(a net.Addr) netip.Addr {
	return a.(*net.TCPAddr).AddrPort().Addr().Unmap()
}

// web answers GET / in few bytes and GET /64k in many. The first line tells
// through which endpoint it was asked.
func (a *arena) web(c net.Conn) {
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	for h := line; h != "\r\n"; {
		if h, err = r.ReadString('\n'); err != nil {
			return
		}
	}
	fmt.Fprintf(c, "via %s\n", addrOf(c.RemoteAddr()))
	if strings.HasPrefix(line, "GET /64k") {
		_, _ = c.Write(make([]byte, 64<<10))
	}
}

// answerAny answers whatever comes first.
func answerAny(c net.Conn) {
	if _, err := c.Read(make([]byte, 4096)); err == nil {
		fmt.Fprintf(c, "via %s\n", addrOf(c.RemoteAddr()))
	}
}
