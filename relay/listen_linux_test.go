package relay_test

import (
	"net"
	"testing"

	"github.com/paperplane-relay/paperplane/relay"
)

// TestListenSilentClients is that a connect never waits for what the kernel
// waits for on our behalf: clients that say nothing are connected although nobody
// accepts, do not stand in the way of one that speaks, and are handed over
// without having spoken.
func TestListenSilentClients(t *testing.T) {
	const silent = 300
	l, err := relay.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	known := make(map[string]bool)
	for range silent {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		known[c.LocalAddr().String()] = true
	}
	speaker, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer speaker.Close()
	if _, err := speaker.Write([]byte{5}); err != nil {
		t.Fatal(err)
	}
	heard := false
	for len(known) > 0 || !heard {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		delete(known, c.RemoteAddr().String())
		heard = heard || c.RemoteAddr().String() == speaker.LocalAddr().String()
		c.Close()
	}
}
