package failure_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

type request struct {
	start time.Time
	took  time.Duration // until the first byte
	via   netip.Addr
	err   error
	whole bool // all that was asked for came
}

// counts is how much of the time that it took counts.
func (r request) counts() time.Duration { return worldtest.Took(r.start, r.start.Add(r.took)) }

// stream is a long one: a message every 200 ms, each of which is echoed.
type stream struct {
	start time.Time
	via   netip.Addr
	mu    sync.Mutex
	last  time.Time
	ended time.Time
	err   error
}

// open asks the relay for a destination, as a client of the given name.
func (a *arena) open(ctx context.Context, client, destination string) (net.Conn, error) {
	c, err := a.isp.DialContext(ctx, "tcp", "127.0.0.1:1080")
	if err != nil {
		return nil, err
	}
	d, err := proxy.SOCKS5("tcp", "", &proxy.Auth{User: client, Password: "-"}, nil)
	if err != nil {
		return nil, err
	}
	dialer := d.(interface {
		DialWithConn(context.Context, net.Conn, string, string) (net.Addr, error)
	})
	if _, err := dialer.DialWithConn(ctx, c, "tcp", destination); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// client sends a request every 2.5 s, at its own moments.
func (a *arena) client(ctx context.Context, n int, path string) {
	name := fmt.Sprintf("client-%d", n)
	wait := time.Duration(n) * 50 * time.Millisecond
	var asked sync.WaitGroup
	defer asked.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = 2500 * time.Millisecond
		asked.Go(func() {
			r := a.ask(name, "site.lab:"+a.suite.port, path)
			a.mu.Lock()
			a.requests = append(a.requests, r)
			a.mu.Unlock()
		})
	}
}

// ask makes one request and waits for its first byte, or all of an object.
func (a *arena) ask(client, destination, path string) (r request) {
	r.start = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := a.open(ctx, client, destination)
	if err != nil {
		r.err = fmt.Errorf("CONNECT after %v: %w", time.Since(r.start), err)
		return r
	}
	defer c.Close()
	_ = c.SetDeadline(r.start.Add(patience))
	flight := a.suite.flight
	if path != "" {
		flight = []byte("GET " + path + " HTTP/1.1\r\nHost: site.lab\r\n\r\n")
	}
	if _, err := c.Write(flight); err != nil {
		r.err = fmt.Errorf("first flight: %w", err)
		return r
	}
	first := bufio.NewReader(c)
	if _, err := first.Peek(1); err != nil {
		r.err = fmt.Errorf("first byte after %v: %w", time.Since(r.start), err)
		return r
	}
	r.took = time.Since(r.start)
	line, err := first.ReadString('\n')
	if err != nil {
		return r
	}
	r.via, _ = netip.ParseAddr(strings.TrimSpace(strings.TrimPrefix(line, "via ")))
	if path == "/64k" {
		n, _ := io.Copy(io.Discard, first)
		r.whole = n == 64<<10
	} else {
		r.whole = true
	}
	return r
}

// long keeps a stream open: when it is cut, the next one is asked for at once,
// which is a request like any other.
func (a *arena) long(ctx context.Context, name string) {
	for ctx.Err() == nil {
		asked := time.Now()
		limit, cancel := context.WithTimeout(ctx, patience)
		c, err := a.open(limit, name, "site.lab:7")
		cancel()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return
		}
		if err == nil {
			s := &stream{start: asked}
			a.mu.Lock()
			a.streams = append(a.streams, s)
			a.mu.Unlock()
			a.echo(ctx, s, c)
			continue
		}
		a.mu.Lock()
		a.requests = append(a.requests, request{start: asked, err: fmt.Errorf("a long stream: %w", err)})
		a.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (a *arena) echo(ctx context.Context, s *stream, c net.Conn) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	s.mu.Lock()
	s.via, _ = netip.ParseAddr(strings.TrimSpace(strings.TrimPrefix(line, "via ")))
	s.mu.Unlock()
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
		if _, err = c.Write([]byte("ping")); err != nil {
			break
		}
		if _, err = io.ReadFull(r, make([]byte, 4)); err == nil {
			s.mu.Lock()
			s.last = time.Now()
			s.mu.Unlock()
		}
	}
	if ctx.Err() == nil {
		s.mu.Lock()
		s.ended, s.err = time.Now(), err
		s.mu.Unlock()
	}
}

// long streams so far, those that have ended included.
func (a *arena) longs() []*stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.streams)
}

// since is a copy of the requests that were started at t or later.
func (a *arena) since(t time.Time) (rs []request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if !r.start.Before(t) {
			rs = append(rs, r)
		}
	}
	return rs
}
