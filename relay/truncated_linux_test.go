package relay_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAResetUnderAnUpload has the destination reset while the client sends. The
// kernel tells of a reset once for each connection: to whoever writes at that
// moment, and who reads is told of an end as if by FIN. The client must not take
// what it got for the whole.
func TestAResetUnderAnUpload(t *testing.T) {
	r := onLoopback(t, 1)
	site := destination(t, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 64<<10))
		_, _ = io.WriteString(c, "half a bo")
		_ = c.SetLinger(0)
		c.Close()
	})
	var wg sync.WaitGroup
	ends := make(chan error, 1000)
	for range 8 {
		wg.Go(func() {
			for range 25 {
				c := r.open(t, site)
				var up sync.WaitGroup
				up.Go(func() {
					b := make([]byte, 1000)
					for {
						if _, err := c.Write(b); err != nil {
							return
						}
					}
				})
				var err error
				for b := make([]byte, 100); err == nil; {
					_, err = c.Read(b)
				}
				if errors.Is(err, io.EOF) && !finished(t, c) {
					err = syscall.ECONNRESET // of which our own upload was told
				}
				ends <- err
				c.Close()
				up.Wait()
			}
		})
	}
	wg.Wait()
	close(ends)
	clean, all := 0, 0
	for err := range ends {
		all++
		if errors.Is(err, io.EOF) {
			clean++
		}
	}
	if clean > 0 {
		t.Errorf("%d of %d answers that were cut short ended as if they were whole", clean, all)
	}
}

// finished reports whether the other side has ended its direction by FIN, and
// there was no RST.
func finished(t *testing.T, c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Error(err)
		return false
	}
	var info *unix.TCPInfo
	if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil || err != nil {
		t.Error(cerr, err)
		return false
	}
	return info.State == unix.BPF_TCP_CLOSE_WAIT
}
