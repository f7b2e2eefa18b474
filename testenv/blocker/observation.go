package blocker

import (
	"bytes"
	"net/netip"
	"time"
)

// Look is what a flow seems to be, by the first bytes that its client sends.
type Look uint8

// The looks.
const (
	// Unrecognised is anything else.
	Unrecognised Look = iota
	// Socks is a SOCKS5 greeting.
	Socks
	// TLS is a TLS handshake.
	TLS
	// HTTP is an HTTP/1 request.
	HTTP
)

// String is the look in lower case.
func (l Look) String() string {
	switch l {
	case Socks:
		return "socks"
	case TLS:
		return "tls"
	case HTTP:
		return "http"
	case Unrecognised:
	}
	return "unrecognised"
}

// LookOf judges the first bytes of a flow's upward direction.
func LookOf(head []byte) Look {
	switch {
	case len(head) >= 3 && head[0] == 5 && head[1] > 0 && len(head) <= 2+255:
		return Socks
	case len(head) >= 3 && head[0] == 22 && head[1] == 3:
		return TLS
	}
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	if bytes.Contains(line, []byte(" HTTP/1.")) {
		return HTTP
	}
	return Unrecognised
}

// Observation is one flow as a blocker noticed it.
type Observation struct {
	At time.Time
	// ISP is where it was seen.
	ISP    string
	Server netip.AddrPort
	Look   Look
}
