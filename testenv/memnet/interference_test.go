package memnet_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestFreezeToTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &border{limit: 16 << 10}
		client, server, _ := pair(t, path(b))
		go func() { _, _ = server.Write(make([]byte, 1<<20)) }()
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := io.Copy(io.Discard, client)
		if n != 16<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d, %v", n, err)
		}
		_ = server.SetLinger(0)
		_ = server.Close()
	})
}

func TestForgedReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		b.set(blocker.Forge, blocker.Forge)
		start := time.Now()
		_, _ = client.Write([]byte("forbidden"))
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) || time.Since(start) != 20*ms {
			t.Errorf("client: %v after %v", err, time.Since(start))
		}
		_, err = server.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) || time.Since(start) != 25*ms {
			t.Errorf("server: %v after %v", err, time.Since(start))
		}
		if _, err := client.Write([]byte("x")); err == nil {
			t.Error("wrote to a connection that was reset")
		}
	})
}
