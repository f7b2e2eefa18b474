package relay

import "encoding/binary"

// isClientHello reports whether b is exactly one complete TLS ClientHello,
// over any number of records, that announces no early data, with nothing after
// it. Such a flight starts a handshake and changes nothing at the destination,
// so it may be sent again (RFC 8446, 4.1.2 and 5.1).
func isClientHello(b []byte) bool {
	message, ok := handshakeMessage(b)
	if !ok || message[0] != 1 {
		return false
	}
	extensions, ok := helloExtensions(message[4:])
	return ok && !announcesEarlyData(extensions)
}

// isHelloBeginning reports whether b is a ClientHello that is not complete yet:
// a destination cannot act on it, whatever follows (RFC 8446, 4.1.2: the message
// is hashed and parsed as a whole). Its first byte alone is enough, since no
// protocol takes a SYN character for a command.
func isHelloBeginning(b []byte) bool {
	const header, maxRecord = 5, 1 << 14
	var message [4]byte // as much of the handshake header as has come
	have, length := 0, 0
	for len(b) > 0 {
		if b[0] != 22 || len(b) > 1 && b[1] != 3 {
			return false
		}
		if len(b) < header {
			return true
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n == 0 || n > maxRecord {
			return false
		}
		record := b[header:min(header+n, len(b))]
		b = b[header+len(record):]
		if have < len(message) {
			copy(message[have:], record)
		}
		have += len(record)
		if have > 0 && message[0] != 1 {
			return false
		}
		if have < len(message) {
			continue
		}
		length = int(message[1])<<16 | int(message[2])<<8 | int(message[3])
		if have >= len(message)+length {
			return false // complete, or with something after it
		}
	}
	return true
}

// handshakeMessage joins the handshake records of b and returns the one
// handshake message they hold, header included. It fails unless b ends where
// the message does.
func handshakeMessage(b []byte) ([]byte, bool) {
	const header, maxRecord = 5, 1 << 14
	// The usual case of one record is parsed in place, several are joined.
	var joined []byte
	for first := true; len(b) > 0; first = false {
		if len(b) < header || b[0] != 22 || b[1] != 3 {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n == 0 || n > maxRecord || len(b) < header+n {
			return nil, false
		}
		record := b[header : header+n]
		b = b[header+n:]
		if first && len(b) == 0 {
			joined = record
		} else {
			joined = append(joined, record...)
		}
	}
	if len(joined) < 4 {
		return nil, false
	}
	length := int(joined[1])<<16 | int(joined[2])<<8 | int(joined[3])
	return joined, len(joined) == 4+length
}

// helloExtensions walks the body of a ClientHello and returns its extensions,
// which may be absent.
func helloExtensions(b []byte) ([]byte, bool) {
	const versionAndRandom = 2 + 32
	if len(b) < versionAndRandom {
		return nil, false
	}
	b = b[versionAndRandom:]
	session, b, ok := vector8(b)
	if !ok || len(session) > 32 {
		return nil, false
	}
	suites, b, ok := vector16(b)
	if !ok || len(suites) < 2 || len(suites)%2 != 0 {
		return nil, false
	}
	compression, b, ok := vector8(b)
	if !ok || len(compression) == 0 {
		return nil, false
	}
	if len(b) == 0 {
		return nil, true
	}
	extensions, rest, ok := vector16(b)
	return extensions, ok && len(rest) == 0
}

// announcesEarlyData reports whether the extensions hold early_data, or cannot
// be parsed: in doubt, the flight stays where it is.
func announcesEarlyData(extensions []byte) bool {
	const earlyData = 42
	for len(extensions) > 0 {
		if len(extensions) < 4 {
			return true
		}
		kind := binary.BigEndian.Uint16(extensions)
		_, rest, ok := vector16(extensions[2:])
		if !ok || kind == earlyData {
			return true
		}
		extensions = rest
	}
	return false
}

// vector8 splits a vector with a length of one byte off b.
func vector8(b []byte) (vector, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}

// vector16 splits a vector with a length of two bytes off b.
func vector16(b []byte) (vector, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, false
	}
	return b[2:n], b[n:], true
}
