package upstream

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// tcpRTOMaxMS is TCP_RTO_MAX_MS of linux/tcp.h, since Linux 6.15.
const tcpRTOMaxMS = 44

func readFlow(c net.Conn) (policy.Flow, bool) {
	var info *unix.TCPInfo
	err := control(c, func(fd int) (err error) {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	if err != nil {
		return policy.Flow{}, false
	}
	f := policy.Flow{
		// Bytes_sent counts retransmitted bytes again.
		Sent:        int64(info.Bytes_sent - info.Bytes_retrans),
		Acked:       int64(info.Bytes_acked),
		Received:    int64(info.Bytes_received),
		LastRecv:    time.Duration(info.Last_data_recv) * time.Millisecond,
		LastAck:     time.Duration(info.Last_ack_recv) * time.Millisecond,
		Unacked:     int(info.Unacked),
		Retransmits: int(info.Retransmits),
		Probes:      int(info.Probes),
		RTT:         time.Duration(info.Rtt) * time.Microsecond,
		SegmentsOut: int64(info.Data_segs_out),
		Resent:      int64(info.Total_retrans),
		SegmentsIn:  int64(info.Data_segs_in),
		Disordered:  int64(info.Rcv_ooopack),
	}
	// The kernel counts the acknowledgement of our SYN, on connections that we
	// have dialled, and that of our FIN as a byte each. A single byte on its way
	// must not pass for acknowledged because of that.
	if f.Unacked == 0 {
		f.Acked = f.Sent
	} else {
		f.Acked = max(0, min(f.Acked, f.Sent-1))
	}
	return f, true
}

func tune(c net.Conn) {
	_ = control(c, func(fd int) error {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(giveUp.Milliseconds()))
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpRTOMaxMS, int(rtoMax.Milliseconds()))
	})
}

// control calls f with c's descriptor, if it is a kernel's TCP socket.
func control(c net.Conn, f func(fd int) error) error {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return unix.ENOTSOCK
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
