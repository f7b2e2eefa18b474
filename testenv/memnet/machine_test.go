package memnet_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestHostFails(t *testing.T) {
	run := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	run("process dies", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		n.Lookup(cloud).Abort()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := n.Lookup(home).Dial(context.Background(), port); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
	})
	run("machine dies", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		n.Lookup(cloud).Vanish()
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		_, _ = client.Write([]byte("hello?"))
		time.Sleep(3 * time.Second)
		if f, _ := client.Flow(); f.Retransmits < 2 {
			t.Errorf("%+v", f)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := n.Lookup(home).Dial(ctx, port); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	run("process hangs", func(t *testing.T) {
		client, server, n := pair(t, path(new(border)))
		h := n.Lookup(cloud)
		h.Hang()
		_, _ = client.Write([]byte("hello?"))
		_ = client.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second})
		time.Sleep(10 * time.Second)
		if f, _ := client.Flow(); f.Acked != 6 || f.Probes != 0 || f.LastAck > 1100*ms {
			t.Errorf("the kernel should answer: %+v", f)
		}
		if _, err := n.Lookup(home).Dial(context.Background(), port); err != nil {
			t.Errorf("the kernel should accept: %v", err)
		}
		time.AfterFunc(time.Second, h.Resume)
		start := time.Now()
		if k, err := server.Read(make([]byte, 10)); k != 6 || err != nil || time.Since(start) != time.Second {
			t.Errorf("%d, %v after %v", k, err, time.Since(start))
		}
	})
}
