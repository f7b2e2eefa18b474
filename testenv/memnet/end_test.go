package memnet_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_, _ = client.Write([]byte("question"))
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after CloseWrite: %v", err)
		}
		q, err := io.ReadAll(server)
		if err != nil || string(q) != "question" {
			t.Fatalf("%q, %v", q, err)
		}
		_, _ = server.Write([]byte("answer"))
		_ = server.Close()
		a, err := io.ReadAll(client)
		if err != nil || string(a) != "answer" {
			t.Fatalf("%q, %v", a, err)
		}
	})
}

func TestClose(t *testing.T) {
	run := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	run("delivers in the background", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		_, _ = client.Write(make([]byte, 50_000))
		_ = client.Close()
		if k, err := io.Copy(io.Discard, server); k != 50_000 || err != nil {
			t.Errorf("%d, %v", k, err)
		}
		_ = server.Close()
		time.Sleep(time.Second)
		if k := n.Lookup(home).Connections() + n.Lookup(cloud).Connections(); k != 0 {
			t.Errorf("%d connections left", k)
		}
	})
	run("unread data means reset", func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_, _ = server.Write([]byte("unread"))
		time.Sleep(time.Second)
		_ = client.Close()
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
	run("linger zero means reset", func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_, _ = client.Write([]byte("arrives"))
		time.Sleep(time.Second)
		_ = client.SetLinger(0)
		_ = client.Close()
		time.Sleep(time.Second)
		if b, err := io.ReadAll(server); string(b) != "arrives" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q, %v", b, err)
		}
	})
	run("data to a closed end means reset", func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_ = client.Close()
		time.Sleep(time.Second)
		_, _ = server.Write([]byte("too late"))
		time.Sleep(time.Second)
		if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Error(err)
		}
	})
	run("gives up on a dead path", func(t *testing.T) {
		b := new(border)
		client, _, n := pair(t, path(b))
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("lost"))
		_ = client.Close()
		time.Sleep(5 * time.Minute)
		_ = n // the server still has its end, and knows nothing
	})
	run("wakes those who wait", func(t *testing.T) {
		client, _, _ := pair(t, path(new(border)))
		time.AfterFunc(time.Second, func() { _ = client.Close() })
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := client.Close(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestNetworkCloseWithDataInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, n := pair(t, path(b))
		done := make(chan error, 2)
		go func() { _, err := client.Write(make([]byte, 8<<20)); done <- err }()
		go func() { _, err := io.Copy(io.Discard, client); done <- err }()
		go func() { _, _ = server.Write(make([]byte, 100_000)) }()
		time.Sleep(time.Second)
		_ = n.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
}
