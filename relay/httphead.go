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

// isRequestLine accepts the three safe methods, a target without spaces, and
// HTTP/1.0 or 1.1.
func isRequestLine(line []byte) bool {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return false
	}
	switch string(method) {
	case "GET", "HEAD", "OPTIONS":
	default:
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
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
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

// isVisible reports whether b has neither spaces nor control characters.
func isVisible(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
