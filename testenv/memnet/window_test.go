package memnet_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestReaderThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := pair(t, path(new(border)))
		_ = client.SetWriteDeadline(time.Now().Add(time.Hour))
		n, err := client.Write(make([]byte, 4<<20))
		if n != 1<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v", n, err)
		}
		if f, _ := client.Flow(); f.Unacked != 0 || f.Probes != 0 {
			t.Errorf("a full window looks like trouble: %+v", f)
		}
		_ = client.SetWriteDeadline(time.Time{})
		go func() { _, _ = client.Write(make([]byte, 3<<20)); _ = client.CloseWrite() }()
		if n, err := io.Copy(io.Discard, server); n != 4<<20 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	})
}

// A lost window update is found out by probing.
func TestZeroWindowProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		_ = client.SetWriteDeadline(time.Now().Add(time.Second))
		n, _ := client.Write(make([]byte, 2<<20))
		_ = client.SetWriteDeadline(time.Time{})
		b.set(blocker.Discard, blocker.Discard)
		time.Sleep(5 * time.Second)
		if f, _ := client.Flow(); f.Probes < 2 {
			t.Errorf("%+v", f)
		}
		buf := make([]byte, 1<<20)
		if m, err := io.ReadAtLeast(server, buf, 500_000); err != nil {
			t.Fatalf("%d, %v", m, err)
		}
		b.set(blocker.Forward, blocker.Forward)
		_ = client.CloseWrite()
		rest, err := io.Copy(io.Discard, server)
		if err != nil || rest < int64(n)-1<<20 {
			t.Errorf("rest %d, %v", rest, err)
		}
	})
}
