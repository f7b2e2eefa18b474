package relay_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// rests waits until all directions of n streams wait without a goroutine.
func (r *kernel) rests(t *testing.T, n int) {
	t.Helper()
	eventually(t, "streams at rest", func() bool { return r.server.Stats().Resting == int64(2*n) })
}

// TestStreamsAtRest has streams go to rest and does with them all that can be
// done with streams.
func TestStreamsAtRest(t *testing.T) {
	r := onLoopback(t, 1)
	server := make(chan *net.TCPConn, 1)
	done := make(chan struct{})
	site := destination(t, func(c *net.TCPConn) {
		server <- c
		<-done // what it says is up to the test
	})
	t.Cleanup(func() { close(done) })
	read := func(t *testing.T, c net.Conn, want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
			t.Errorf("read %q, %v; want %q", b, err, want)
		}
	}
	for name, play := range map[string]func(t *testing.T, client, server *net.TCPConn){
		"the client speaks": func(t *testing.T, client, server *net.TCPConn) {
			_, _ = io.WriteString(client, "hello")
			read(t, server, "hello")
			_, _ = io.WriteString(server, "hello to you")
			read(t, client, "hello to you")
		},
		"the endpoint speaks": func(t *testing.T, client, server *net.TCPConn) {
			_, _ = io.WriteString(server, "hello")
			read(t, client, "hello")
			_, _ = io.WriteString(client, "hello to you")
			read(t, server, "hello to you")
		},
		"both, again and again": func(t *testing.T, client, server *net.TCPConn) {
			for range 3 {
				_, _ = io.WriteString(server, "hello")
				_, _ = io.WriteString(client, "hello to you")
				read(t, client, "hello")
				read(t, server, "hello to you")
				r.rests(t, 1)
			}
		},
		"the client ends": func(t *testing.T, client, server *net.TCPConn) {
			_ = client.CloseWrite()
			if n, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("%d, %v", n, err)
			}
			_, _ = io.WriteString(server, "and the rest")
			read(t, client, "and the rest")
		},
		"the endpoint ends": func(t *testing.T, client, server *net.TCPConn) {
			_ = server.CloseWrite()
			if n, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("%d, %v", n, err)
			}
			_, _ = io.WriteString(client, "and the rest")
			read(t, server, "and the rest")
		},
		"the endpoint resets": func(t *testing.T, client, server *net.TCPConn) {
			_ = server.SetLinger(0)
			server.Close()
			if n, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%d, %v", n, err)
			}
		},
	} {
		for _, flowing := range []bool{true, false} {
			if !flowing && strings.HasPrefix(name, "the endpoint ") && name != "the endpoint speaks" {
				continue // what ends before its first byte is asked for once more
			}
			t.Run(fmt.Sprintf("%s, flowing %v", name, flowing), func(t *testing.T) {
				client := r.open(t, site)
				defer client.Close()
				server := <-server
				if flowing {
					_, _ = io.WriteString(server, "first")
					read(t, client, "first")
				}
				for _, c := range []net.Conn{client, server} {
					_ = c.SetDeadline(time.Now().Add(30 * time.Second))
				}
				r.rests(t, 1)
				play(t, client, server)
				client.Close()
				server.Close()
				eventually(t, "the stream's end", func() bool { return r.server.Stats().Open == 0 })
			})
		}
	}
}

// TestCloseWakesThoseAtRest closes the relay over streams at rest, and the
// endpoint under them.
func TestCloseWakesThoseAtRest(t *testing.T) {
	for name, end := range map[string]func(r *kernel){
		"relay":    func(r *kernel) { r.server.Close() },
		"endpoint": func(r *kernel) { r.exits[0].Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r := onLoopback(t, 1)
			site := destination(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
			var clients []*net.TCPConn
			for range 10 {
				c := r.open(t, site)
				defer c.Close()
				if _, err := exchange(c, "x"); err != nil {
					t.Fatal(err)
				}
				clients = append(clients, c)
			}
			r.rests(t, len(clients))
			end(r)
			for _, c := range clients {
				if n, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("read %d, %v; want a reset", n, err)
				}
			}
			eventually(t, "the end", func() bool { return r.server.Stats().Open == 0 && r.server.Stats().Resting == 0 })
		})
	}
}
