package relay_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// rigReply asks for a port of site.lab without authentication and returns the reply
// code, after it has checked that the reply tells nothing about the relay.
func rigReply(c net.Conn, port uint16) (byte, error) {
	if err := rigGreet(c, 0); err != nil {
		return 0, err
	}
	req := []byte("\x05\x01\x00\x03\x08site.lab")
	return rigRequest(c, binary.BigEndian.AppendUint16(req, port))
}

func rigGreet(c net.Conn, method byte) error {
	if _, err := c.Write([]byte{5, 1, method}); err != nil {
		return err
	}
	var answer [2]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return err
	}
	if answer != [2]byte{5, method} {
		return fmt.Errorf("method answer % x", answer)
	}
	return nil
}

func rigRequest(c net.Conn, req []byte) (byte, error) {
	if _, err := c.Write(req); err != nil {
		return 0, err
	}
	var b [10]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	if want := [10]byte{5, b[1], 0, 1}; b != want {
		return b[1], fmt.Errorf("reply % x, want no address in it", b)
	}
	return b[1], nil
}
