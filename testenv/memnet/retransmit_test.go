package memnet_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// An established flow that is dropped takes about 78 kB and falls silent; when
// the path is back all of it arrives.
func TestDropOnEstablishedFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		b.set(blocker.Discard, blocker.Discard)
		sent := make([]byte, 200_000)
		for i := range sent {
			sent[i] = byte(rand.N(256))
		}
		_ = client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := client.Write(sent)
		if !errors.Is(err, os.ErrDeadlineExceeded) || n != 78_000 {
			t.Fatalf("wrote %d, %v", n, err)
		}
		f, _ := client.Flow()
		if f.Acked != 0 || f.Retransmits != 2 || f.Unacked == 0 {
			t.Errorf("%+v", f)
		}
		_ = client.SetWriteDeadline(time.Time{})
		start := time.Now()
		time.Sleep(10 * time.Second)
		b.set(blocker.Forward, blocker.Forward)
		go func() {
			_, _ = client.Write(sent[n:])
			_ = client.CloseWrite()
		}()
		got, err := io.ReadAll(server)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		// Retransmitted .25, .75, 1.75, 3.75, 7.75 and 15.75 s after it was
		// first sent, one second before start.
		if took := time.Since(start); took < 14*time.Second || took > 15*time.Second {
			t.Errorf("resumed after %v", took)
		}
		time.Sleep(50 * ms)
		if f, _ := client.Flow(); f.Unacked != 0 || f.Retransmits != 0 || f.Acked != int64(len(sent)) {
			t.Errorf("afterwards %+v", f)
		}
	})
}

func TestRTOMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		if err := client.SetRTOMax(time.Second); err != nil {
			t.Fatal(err)
		}
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("hello"))
		time.Sleep(20 * time.Second)
		b.set(blocker.Forward, blocker.Forward)
		start := time.Now()
		var buf [8]byte
		if n, err := server.Read(buf[:]); n != 5 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if took := time.Since(start); took > time.Second+25*ms {
			t.Errorf("resumed after %v", took)
		}
		// Without end: 120 s.
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("again"))
		start = time.Now()
		_, err := client.Read(buf[:])
		if took := time.Since(start); !errors.Is(err, syscall.ETIMEDOUT) || took < 120*time.Second || took > 122*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestRetransmissionGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, _, _ := pair(t, path(b))
		b.set(blocker.Discard, blocker.Discard)
		_, _ = client.Write([]byte("hello"))
		start := time.Now()
		_, err := client.Read(make([]byte, 1))
		if took := time.Since(start); !errors.Is(err, syscall.ETIMEDOUT) || took < 15*time.Minute || took > 20*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// Lost acknowledgements look like lost data, but the data is there.
func TestOnlyAcknowledgementsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(border)
		client, server, _ := pair(t, path(b))
		b.set(blocker.Forward, blocker.Discard)
		_, _ = client.Write([]byte("hello"))
		time.Sleep(2 * time.Second)
		var buf [8]byte
		if n, err := server.Read(buf[:]); n != 5 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if f, _ := client.Flow(); f.Acked != 0 || f.Retransmits != 3 {
			t.Errorf("%+v", f)
		}
		b.set(blocker.Forward, blocker.Forward)
		time.Sleep(3 * time.Second)
		if f, _ := client.Flow(); f.Acked != 5 || f.Unacked != 0 {
			t.Errorf("afterwards %+v", f)
		}
		if f, _ := server.Flow(); f.Received != 5 {
			t.Errorf("server %+v", f)
		}
	})
}
