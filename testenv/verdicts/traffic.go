package verdicts

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/net/proxy"
)

// The load on one relay.
const (
	clients     = 24
	lightEvery  = 2 * time.Second
	heavyEvery  = 100 * time.Millisecond
	longStreams = 4
	// patience is how long a client waits for all of an answer.
	patience = 20 * time.Second
)

// usualObjects is the usual mix: pages, pictures, a film now and then, a letter.
var usualObjects = []Object{
	{Down: 2 << 10, Weight: 5},
	{Down: 64 << 10, Weight: 3},
	{Down: 320 << 10, Weight: 1},
	{Up: 64 << 10, Weight: 1},
}

// load asks for things through the relay until the scene ends: each request by
// one of the clients, after a pause of random length.
func (v *vantage) load() {
	s := v.scene
	rng := rand.New(rand.NewPCG(v.seed, 0x6c6f6164))
	objects := s.c.Setting.Objects
	if objects == nil {
		objects = usualObjects
	}
	every := lightEvery
	var asked sync.WaitGroup
	defer asked.Wait()
	if s.draw.Heavy {
		every = heavyEvery
		for n := range longStreams {
			asked.Go(func() { v.long(fmt.Sprintf("long-%d", n)) })
		}
	}
	pause := time.NewTimer(every)
	defer pause.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-pause.C:
		}
		pause.Reset(time.Duration(rng.ExpFloat64()*float64(every)) + 1)
		who, what := fmt.Sprintf("client-%d", rng.IntN(clients)), pick(objects, rng)
		asked.Go(func() { v.ask(who, what) })
	}
}

// pick draws an object by its weight.
func pick(objects []Object, rng *rand.Rand) Object {
	total := 0
	for _, o := range objects {
		total += o.Weight
	}
	n := rng.IntN(total)
	for _, o := range objects {
		if n -= o.Weight; n < 0 {
			return o
		}
	}
	return objects[0]
}

// ask makes one request. How it ends is the client's business.
func (v *vantage) ask(client string, o Object) {
	ctx, cancel := context.WithTimeout(v.scene.ctx, patience)
	defer cancel()
	site := cmp.Or(o.Site, usualSite)
	c, err := v.open(ctx, client, site+":80")
	if err != nil {
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if o.Up > 0 {
		if _, err = fmt.Fprintf(c, "PUT / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", site, o.Up); err == nil {
			err = fill(c, o.Up)
		}
	} else {
		_, err = fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: %s\r\n\r\n", o.Down, site)
	}
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, c)
}

// long keeps a stream open that says a word twice a second.
func (v *vantage) long(client string) {
	ctx := v.scene.ctx
	for ctx.Err() == nil {
		limit, cancel := context.WithTimeout(ctx, patience)
		c, err := v.open(limit, client, usualSite+":7")
		cancel()
		if err == nil {
			stop := context.AfterFunc(ctx, func() { c.Close() })
			v.echo(c)
			stop()
			c.Close()
		}
		wait(ctx, time.Second)
	}
}

func (v *vantage) echo(c net.Conn) {
	r := bufio.NewReaderSize(c, 64)
	word := []byte("paper\n")
	for {
		if _, err := c.Write(word); err != nil {
			return
		}
		if _, err := r.ReadSlice('\n'); err != nil {
			return
		}
		if !wait(v.scene.ctx, 500*time.Millisecond) {
			return
		}
	}
}

// open asks the relay for a destination.
func (v *vantage) open(ctx context.Context, client, destination string) (net.Conn, error) {
	c, err := v.isp.DialContext(ctx, "tcp", relayAt)
	if err != nil {
		return nil, err
	}
	d, err := proxy.SOCKS5("tcp", "", &proxy.Auth{User: client, Password: "-"}, nil)
	if err == nil {
		_, err = d.(interface {
			DialWithConn(context.Context, net.Conn, string, string) (net.Addr, error)
		}).DialWithConn(ctx, c, "tcp", destination)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// wait lets time pass, and reports whether ctx has not ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
