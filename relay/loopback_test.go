package relay_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

// kernel is a relay and its endpoints on real sockets.
type kernel struct {
	address string
	server  *relay.Server
	exits   []*exit.Server
}

// onLoopback starts n endpoints and a relay over them. Everything ends with the
// test.
func onLoopback(t testing.TB, n int) *kernel {
	t.Helper()
	return onLoopbackWith(t, n, relay.Config{})
}

func onLoopbackWith(t testing.TB, n int, c relay.Config) *kernel {
	t.Helper()
	r := &kernel{}
	var wg sync.WaitGroup
	p, err := pool.New(pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		l := listen(t)
		e := &exit.Server{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		wg.Go(func() { _ = e.Serve(l) })
		spec, err := upstream.Parse("socks5://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Add(spec); err != nil {
			t.Fatal(err)
		}
		r.exits = append(r.exits, e)
	}
	ctx, cancel := context.WithCancel(context.Background())
	changed := p.Changed()
	wg.Go(func() { _ = p.Run(ctx) })
	<-changed // endpoints are in use

	c.Pool = p
	if r.server, err = relay.New(c); err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	r.address = l.Addr().String()
	wg.Go(func() { _ = r.server.Serve(l) })
	t.Cleanup(func() {
		r.server.Close()
		cancel()
		for _, e := range r.exits {
			e.Close()
		}
		wg.Wait()
	})
	return r
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// destination serves each connection with f until the test ends.
func destination(t testing.TB, f func(*net.TCPConn)) string {
	t.Helper()
	l := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() { rigAccept(l, func(c net.Conn) { f(c.(*net.TCPConn)) }) })
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func (r *kernel) open(t testing.TB, destination string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := rigAsk(c, "client", destination); err != nil {
		c.Close()
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func TestHTTPClientOverRealSockets(t *testing.T) {
	r := onLoopback(t, 3)
	body := make([]byte, 32<<20)
	_, _ = rand.New(rand.NewSource(1)).Read(body)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			h := sha256.New()
			_, _ = io.Copy(h, req.Body)
			_, _ = w.Write(h.Sum(nil))
			return
		}
		_, _ = w.Write(body)
	}))
	defer site.Close()
	proxy := &url.URL{Scheme: "socks5h", Host: r.address, User: url.UserPassword("alice", "any")}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	sum := sha256.Sum256(body)

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := client.Get(site.URL)
			if err != nil {
				t.Error(err)
				return
			}
			h := sha256.New()
			_, err = io.Copy(h, got.Body)
			got.Body.Close()
			if err != nil || !bytes.Equal(h.Sum(nil), sum[:]) {
				t.Errorf("the download differs, %v", err)
			}
			got, err = client.Post(site.URL, "application/octet-stream", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			echoed, err := io.ReadAll(got.Body)
			got.Body.Close()
			if err != nil || !bytes.Equal(echoed, sum[:]) {
				t.Errorf("the upload differs, %v", err)
			}
		})
	}
	wg.Wait()
	transport.CloseIdleConnections()
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if s := r.server.Stats(); s.Down < 4*int64(len(body)) || s.Up < 4*int64(len(body)) || s.Failed != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestHalfCloseOverRealSockets(t *testing.T) {
	r := onLoopback(t, 1)
	site := destination(t, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c) // needs the client's FIN
		_, _ = c.Write(bytes.ToUpper(b))
	})
	c := r.open(t, site)
	defer c.Close()
	say := strings.Repeat("half-closed ", 100_000)
	if _, err := io.WriteString(c, say); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil || string(b) != strings.ToUpper(say) {
		t.Errorf("%d bytes came back, %v; want %d", len(b), err, len(say))
	}
}

func TestAnErrorIsNoEndOfFile(t *testing.T) {
	// The destination, or the endpoint, dies in the middle of a body.
	for name, die := range map[string]func(r *kernel, c *net.TCPConn){
		"destination": func(_ *kernel, c *net.TCPConn) { _ = c.SetLinger(0); c.Close() },
		"endpoint":    func(r *kernel, _ *net.TCPConn) { r.exits[0].Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r := onLoopback(t, 1)
			came := make(chan struct{})
			site := destination(t, func(c *net.TCPConn) {
				_, _ = c.Read(make([]byte, 1024))
				_, _ = io.WriteString(c, "half a bo")
				<-came
				die(r, c)
				_, _ = c.Read(make([]byte, 1))
			})
			c := r.open(t, site)
			defer c.Close()
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\n\r\n")
			if _, err := io.ReadFull(c, make([]byte, 9)); err != nil {
				t.Fatal(err)
			}
			close(came)
			if n, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read %d, %v; want a reset", n, err)
			}
		})
	}
}

// Warm connections on a kernel's sockets: each is waited beside, taken and used
// without a byte lost.
func TestWarmOverRealSockets(t *testing.T) {
	r := onLoopback(t, 1)
	site := destination(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	for n := 0; r.server.Stats().WarmHits < 50; n++ {
		if n > 5000 {
			t.Fatalf("no warm connections: %+v", r.server.Stats())
		}
		c := r.open(t, site)
		if said, err := exchange(c, "hello"); said != "hello" {
			t.Fatalf("the echo says %q, %v", said, err)
		}
		c.Close()
	}
	if s := r.server.Stats(); s.Granted != s.Requests || s.WarmLost != 0 {
		t.Errorf("stats %+v", s)
	}
}
