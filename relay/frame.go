package relay

const (
	socksVersion = 5
	methodNone   = 0x00
	methodLogin  = 0x02
	methodNoneOK = 0xff // no acceptable method
)

// A frame is one message of the client's half of the SOCKS5 handshake. The
// relay cuts the client's bytes into frames itself, so that it knows exactly
// where the handshake ends and the client's own data begin. Each of these
// functions says how many more bytes a frame needs at least, given its
// beginning; 0 means that it is complete, or wrong in a way that go-socks5 will
// see without reading on.

// greetingLacks is for version, count, methods (RFC 1928, section 3).
func greetingLacks(b []byte) int {
	if len(b) > 0 && b[0] != socksVersion {
		return 0
	}
	if len(b) < 2 {
		return 2 - len(b)
	}
	return max(0, 2+int(b[1])-len(b))
}

// loginLacks is for version, length, user, length, password (RFC 1929).
func loginLacks(b []byte) int {
	if len(b) < 2 {
		return 2 - len(b)
	}
	length := 2 + int(b[1]) + 1
	if len(b) < length {
		return length - len(b)
	}
	return max(0, length+int(b[length-1])-len(b))
}

// requestLacks is for version, command, 0, address type, address, port
// (RFC 1928, section 4).
func requestLacks(b []byte) int {
	const fixed = 5 // up to the first byte of the address
	if len(b) < fixed {
		return fixed - len(b)
	}
	switch b[3] {
	case 1:
		return max(0, 4+4+2-len(b))
	case 3:
		return max(0, 4+1+int(b[4])+2-len(b))
	case 4:
		return max(0, 4+16+2-len(b))
	default:
		return 0
	}
}
