package upstream_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// BenchmarkDial is a dial's own work: the other side answers at once, from
// memory.
func BenchmarkDial(b *testing.B) {
	ctx := b.Context()
	d := &upstream.Dialer{Dial: func(context.Context, string, string) (net.Conn, error) {
		return &answers{r: strings.NewReader("\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")}, nil
	}}
	b.ReportAllocs()
	for b.Loop() {
		c, err := d.Connect(ctx, anonymous)
		if err != nil {
			b.Fatal(err)
		}
		s, err := d.Negotiate(ctx, c, anonymous)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Request(ctx, "example.com:443"); err != nil {
			b.Fatal(err)
		}
	}
}

// answers is a connection whose other side has said all it will.
type answers struct {
	net.Conn
	r io.Reader
}

func (a *answers) Read(b []byte) (int, error)  { return a.r.Read(b) }
func (a *answers) Write(b []byte) (int, error) { return len(b), nil }
func (a *answers) Close() error                { return nil }

func BenchmarkReadFlow(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		upstream.ReadFlow(c)
	}
}
