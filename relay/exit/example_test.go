package exit_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

// An endpoint with one user, and a client that dials through it.
func ExampleServer() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := &exit.Server{Users: map[string]string{"me": "secret"}}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()

	spec, err := upstream.Parse("socks5://me:secret@" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	var d upstream.Dialer
	c, err := d.Connect(ctx, spec)
	if err != nil {
		log.Fatal(err)
	}
	session, err := d.Negotiate(ctx, c, spec)
	if err != nil {
		log.Fatal(err)
	}
	stream, err := session.Request(ctx, probe.ReservedHost+":80")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(stream, "HEAD /1024 HTTP/1.1\r\n\r\n")
	answer, err := io.ReadAll(stream)
	fmt.Printf("%.15s %v\n", answer, err)

	_ = stream.Close()
	_ = s.Close()
	fmt.Println(<-served)
	// Output:
	// HTTP/1.1 200 OK <nil>
	// exit: server closed
}
