package upstream_test

import (
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// deafen makes a socket lose what comes in with more than size bytes, headers
// included, before TCP sees it; 0 loses nothing any more.
func deafen(t *testing.T, c *net.TCPConn, size uint32) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
		{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: size, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 20},
	}
	if cerr := raw.Control(func(fd uintptr) {
		if size == 0 {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
			return
		}
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
}

func flow(t *testing.T, c net.Conn) (f struct{ Out, Resent, In, Disordered int64 }) {
	t.Helper()
	got, ok := upstream.ReadFlow(c)
	if !ok {
		t.Fatal("a connection has no flow")
	}
	f.Out, f.Resent, f.In, f.Disordered = got.SegmentsOut, got.Resent, got.SegmentsIn, got.Disordered
	return f
}

// The kernel's counters tell both ends of a loss: the sender that it sent
// again, the receiver that there was a gap.
func TestReadFlowTellsOfLoss(t *testing.T) {
	here, there := pair(t)
	send := func(size int) {
		t.Helper()
		if _, err := here.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(size int) {
		t.Helper()
		if _, err := io.ReadFull(there, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		send(1000)
		receive(1000)
	}
	if f, g := flow(t, here), flow(t, there); f.Out != 3 || f.Resent != 0 || g.In != 3 || g.Disordered != 0 || f.In+g.Out != 0 {
		t.Errorf("without loss: sender %+v, receiver %+v", f, g)
	}
	deafen(t, there, 500)
	send(1000)
	for range 4 {
		send(10)
	}
	deafen(t, there, 0)
	receive(1040)
	// The kernel may join the small ones.
	f, g := flow(t, here), flow(t, there)
	if f.Resent < 1 || f.Out-f.Resent < 5 || f.Out-f.Resent > 8 || g.Disordered < 1 || g.Disordered > 4 {
		t.Errorf("after a loss: sender %+v, receiver %+v", f, g)
	}
}
