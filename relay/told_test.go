package relay_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// A kernel tells a connection's failure once, to whoever reads or writes first.
// If that is the direction that writes to the endpoint, the one that reads finds a
// clean end behind what had come in; the client must not take it for one.
func TestFailureThatAWriteIsToldOf(t *testing.T) {
	inRig(t, rigConfig{endpoints: 1, noProbes: true}, func(r *rig) {
		const body = 8 << 20
		r.serve(80, func(c net.Conn) {
			_, _ = c.Write(make([]byte, body))
			_, _ = io.Copy(io.Discard, c)
		})
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		if _, err := io.CopyN(io.Discard, c, 100<<10); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the client does not read: what has come waits in the relay
		r.hosts[0].Abort()
		time.Sleep(time.Second)
		if _, err := io.WriteString(c, "more"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		n, err := io.Copy(io.Discard, c)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client reads %d bytes of %d more, and then %v; want a reset", n, body-100<<10, err)
		}
	})
}
