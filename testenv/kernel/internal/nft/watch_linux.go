package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Watcher reads what rules log. It is for one goroutine; Mark and Close may be
// called from others, and Close ends Next.
type Watcher struct {
	file   *os.File
	group  uint16
	in     []byte
	last   uint32
	begun  bool
	missed uint64
	// overrun is whether something got lost that no number has told of yet.
	overrun bool
}

// From linux/netfilter/nfnetlink_log.h.
const (
	logPacket = 0 // NFULNL_MSG_PACKET
	logConfig = 1 // NFULNL_MSG_CONFIG

	configCommand = 1 // NFULA_CFG_CMD
	configMode    = 2 // NFULA_CFG_MODE
	configFlags   = 6 // NFULA_CFG_FLAGS
	bind          = 1 // NFULNL_CFG_CMD_BIND
	nothing       = 3 // NFULNL_CFG_CMD_PF_BIND, which has done nothing since Linux 3.13
	copyPacket    = 2 // NFULNL_COPY_PACKET
	numbered      = 1 // NFULNL_CFG_F_SEQ

	logPayload = 9  // NFULA_PAYLOAD
	logPrefix  = 10 // NFULA_PREFIX
	logNumber  = 12 // NFULA_SEQ
)

// Watch reads a group of the network namespace of the calling thread, at most
// length bytes of each packet. The kernel keeps up to some MiB of what has not
// been read yet; what exceeds that is lost and counted, and holds up nothing.
func Watch(group uint16, length uint32) (*Watcher, error) {
	f, err := socket()
	if err != nil {
		return nil, err
	}
	w := &Watcher{file: f, group: group, in: make([]byte, 1<<16)}
	if err := w.bind(group, length); err != nil {
		return nil, errors.Join(fmt.Errorf("nflog: %w", err), f.Close())
	}
	return w, nil
}

func (w *Watcher) bind(group uint16, length uint32) error {
	if _, err := enlarge(w.file, unix.SO_RCVBUF, unix.SO_RCVBUFFORCE, 8<<20); err != nil {
		return err
	}
	err := w.config(1, group, func(a *attrs) { a.put(configCommand, []byte{bind}) })
	if err != nil {
		return err
	}
	return w.config(2, group, func(a *attrs) {
		mode := binary.BigEndian.AppendUint32(nil, length)
		a.put(configMode, append(mode, copyPacket, 0))
		a.u16(configFlags, numbered)
	})
}

func (w *Watcher) config(seq uint32, group uint16, fill func(*attrs)) error {
	if err := w.order(seq, group, fill); err != nil {
		return err
	}
	c := Conn{file: w.file, in: w.in}
	var failed error
	err := c.replies(seq, func(h header, body []byte) bool {
		if h.kind != unix.NLMSG_ERROR || len(body) < 4 {
			return false
		}
		if code := -int32(binary.NativeEndian.Uint32(body)); code != 0 {
			failed = syscall.Errno(code)
		}
		return true
	})
	if failed != nil {
		return failed
	}
	return errors.Join(err, w.file.SetReadDeadline(time.Time{}))
}

// order sends a message that is to be acknowledged.
func (w *Watcher) order(seq uint32, group uint16, fill func(*attrs)) error {
	var b Batch
	b.message(unix.NFNL_SUBSYS_ULOG<<8|logConfig, unix.NLM_F_ACK, unix.AF_UNSPEC, int(group), fill)
	binary.NativeEndian.PutUint32(b.buf[8:], seq)
	_, err := w.file.Write(b.buf)
	return err
}

// Mark has Next come by a number behind all that has been logged so far: the
// kernel's answer to an order comes by the same queue. It gets lost like all else
// if there is no room for it.
func (w *Watcher) Mark(n uint32) error {
	return w.order(n, w.group, func(a *attrs) { a.put(configCommand, []byte{nothing}) })
}

// Next waits for packets and marks, and hands over each: a packet with its word,
// beginning with its IP header and valid during the call only.
func (w *Watcher) Next(take func(word string, packet []byte), mark func(n uint32)) error {
	n, err := w.file.Read(w.in)
	if errors.Is(err, syscall.ENOBUFS) {
		w.overrun = true // how many were lost shows by the next one's number
		return nil
	}
	if err != nil {
		return err
	}
	messages(w.in[:n], func(h header, body []byte) {
		switch {
		case h.kind == unix.NLMSG_ERROR:
			mark(h.seq)
		case h.kind == unix.NFNL_SUBSYS_ULOG<<8|logPacket && len(body) > genmsg:
			w.packet(body[genmsg:], take)
		}
	})
	return nil
}

func (w *Watcher) packet(body []byte, take func(word string, packet []byte)) {
	var word string
	var packet []byte
	each(body, func(kind int, value []byte) {
		switch {
		case kind == logPayload:
			packet = value
		case kind == logPrefix && len(value) > 0:
			word = string(value[:len(value)-1])
		case kind == logNumber && len(value) == 4:
			n := binary.BigEndian.Uint32(value)
			if w.begun {
				w.missed += uint64(n - w.last - 1)
			}
			w.last, w.begun, w.overrun = n, true, false
		}
	})
	if packet != nil {
		take(word, packet)
	}
}

// Missed is how many packets were logged and got lost, so far. Of those after the
// last that came through, it counts one.
func (w *Watcher) Missed() uint64 {
	if w.overrun {
		return w.missed + 1
	}
	return w.missed
}

// Close closes the socket.
func (w *Watcher) Close() error { return w.file.Close() }
