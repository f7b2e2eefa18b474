package relay

import (
	"bytes"
	"strings"
)

// isRequestHead reports whether b is exactly one complete HTTP/1.x request head
// of GET, HEAD or OPTIONS, without a body and with nothing after it. Such a
// request is idempotent and safe (RFC 9110, 9.2), so it may be sent again. In
// doubt the answer is no: bare line feeds, folded lines, anything that
// announces a body or another protocol.
func isRequestHead(b []byte) bool {
	head, found := bytes.CutSuffix(b, []byte("\r\n\r\n"))
	if !found || bytes.Contains(head, []byte("\r\n\r\n")) {
		return false
	}
	line, fields, more := bytes.Cut(head, []byte("\r\n"))
	if !isRequestLine(line) {
		return false
	}
	for more {
		var field []byte
		field, fields, more = bytes.Cut(fields, []byte("\r\n"))
		if !isBodilessField(field) {
			return false
		}
	}
	return true
}

// isHeadBeginning reports whether b is the beginning of a head that
// [isRequestHead] might accept, from its method and blank on: a destination does
// not act on a request whose head has not ended. Fewer bytes, such as a single
// G, could be a command in another protocol; and a line that has ended is one in
// some, so it must be HTTP's.
func isHeadBeginning(b []byte) bool {
	if bytes.Contains(b, []byte("\r\n\r\n")) {
		return false
	}
	line, fields, more := bytes.Cut(b, []byte("\r\n"))
	if !more {
		return isLineBeginning(line)
	}
	if !isRequestLine(line) {
		return false
	}
	for {
		var field []byte
		if field, fields, more = bytes.Cut(fields, []byte("\r\n")); !more {
			return isText(bytes.TrimSuffix(field, []byte("\r")))
		}
		if !isBodilessField(field) {
			return false
		}
	}
}

// isLineBeginning accepts what may become a line for isRequestLine, if that is
// not in doubt any more.
func isLineBeginning(line []byte) bool {
	if whole, ok := bytes.CutSuffix(line, []byte("\r")); ok {
		return isRequestLine(whole)
	}
	method, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || !isSafeMethod(method) {
		return false
	}
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !isVisible(target) || ok && len(target) == 0 {
		return false
	}
	return strings.HasPrefix("HTTP/1.1", string(version)) || string(version) == "HTTP/1.0"
}

// isSafeMethod accepts the methods that change nothing at a destination.
func isSafeMethod(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS":
		return true
	}
	return false
}

// isRequestLine accepts the three safe methods, a target without spaces, and
// HTTP/1.0 or 1.1.
func isRequestLine(line []byte) bool {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || !isSafeMethod(method) {
		return false
	}
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(target) == 0 || !isVisible(target) {
		return false
	}
	return string(version) == "HTTP/1.1" || string(version) == "HTTP/1.0"
}

// isBodilessField accepts a well-formed header field that announces neither a
// body nor a change of protocol.
func isBodilessField(field []byte) bool {
	name, value, ok := bytes.Cut(field, []byte(":"))
	if !ok || len(name) == 0 || !isToken(name) {
		return false
	}
	if !isText(value) {
		return false
	}
	switch strings.ToLower(string(name)) {
	case "content-length":
		return string(bytes.Trim(value, " \t")) == "0"
	case "transfer-encoding", "upgrade", "expect":
		return false
	}
	return true
}

// isToken reports whether b has only token characters (RFC 9110, 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// isText reports whether b has no control characters but tabs.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isVisible reports whether b has neither spaces nor control characters.
func isVisible(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
