package relay_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

// A relay over one endpoint of our own, and an HTTP client that uses it.
func ExampleServer() {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello through the relay")
	}))
	defer site.Close()

	// An endpoint. It may dial loopback only because the site is there.
	endpoint := &exit.Server{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	el, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = endpoint.Serve(el) }()
	defer endpoint.Close()

	// The pool that knows it.
	p, err := pool.New(pool.Config{})
	if err != nil {
		log.Fatal(err)
	}
	spec, err := upstream.Parse("socks5://" + el.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Add(spec); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	pooled := make(chan struct{})
	go func() {
		defer close(pooled)
		_ = p.Run(ctx)
	}()
	defer func() {
		cancel()
		<-pooled
	}()

	// The relay over the pool.
	server, err := relay.New(relay.Config{Pool: p})
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()

	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "socks5h", Host: l.Addr().String()})}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(site.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", body)
	// Output: hello through the relay
}
