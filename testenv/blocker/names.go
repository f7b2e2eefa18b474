package blocker

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
)

// lookLimit is how far into a flow's upward stream names are looked for. A
// ClientHello with post-quantum keys has about 1.8 KB; SOCKS5 in front of it at
// most 780 bytes.
const lookLimit = 8 << 10

// look reads the names that a client shows at the beginning of a flow.
type look struct {
	head  []byte
	over  bool
	names []string
}

// feed takes size bytes at the given offset, of which payload is the beginning.
// It reports whether a name was learnt. Bytes seen before are passed over; a
// gap ends the looking, since nothing can be parsed behind it.
func (l *look) feed(offset int64, payload []byte, size int) bool {
	seen := int64(len(l.head))
	if l.over || offset+int64(size) <= seen {
		return false
	}
	if offset > seen || offset+int64(len(payload)) < seen {
		l.over, l.head = true, nil
		return false
	}
	l.head = append(l.head, payload[seen-offset:]...)
	names, undecided := Names(l.head)
	learnt := len(names) > len(l.names)
	l.names = names
	if !undecided || len(l.head) > lookLimit || len(payload) < size {
		l.over, l.head = true, nil
	}
	return learnt
}

// shows reports whether the flow has shown one of a rule's names.
func (l *look) shows(names map[string]struct{}) bool {
	return slices.ContainsFunc(l.names, func(name string) bool { return listed(names, name) })
}

// Names reads the host names that a client shows at the beginning of a stream:
// that of a SOCKS5 CONNECT, then the server name of a TLS ClientHello or the
// Host of an HTTP/1 request, which may come after it. Addresses are no names.
// It reports more if further bytes could still tell. It never fails: what it
// does not understand has no name.
func Names(head []byte) (names []string, more bool) {
	if len(head) == 0 {
		return nil, true
	}
	if head[0] == 5 {
		name, rest, ok, more := socksName(head)
		if !ok {
			return nil, more
		}
		names = appendName(names, name)
		head = rest
		if len(head) == 0 {
			return names, true
		}
	}
	var name string
	if head[0] == 22 {
		name, more = serverName(head)
	} else {
		name, more = httpHost(head)
	}
	return appendName(names, name), more
}

func appendName(names []string, name string) []string {
	name = canonical(name)
	if name == "" || net.ParseIP(name) != nil {
		return names
	}
	return append(names, name)
}

// socksName passes over the greeting (RFC 1928 section 3) and the password
// message (RFC 1929), and reads the request (RFC 1928 section 4).
func socksName(b []byte) (name string, rest []byte, ok, more bool) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return "", nil, false, true
	}
	b = b[2+int(b[1]):]
	if len(b) == 0 {
		return "", nil, false, true
	}
	if b[0] == 1 {
		if len(b) < 2 || len(b) < 3+int(b[1]) {
			return "", nil, false, true
		}
		user := int(b[1])
		if len(b) < 3+user+int(b[2+user]) {
			return "", nil, false, true
		}
		b = b[3+user+int(b[2+user]):]
	}
	if len(b) < 5 {
		return "", nil, false, len(b) == 0 || b[0] == 5
	}
	if b[0] != 5 {
		return "", nil, false, false
	}
	var size int
	switch b[3] {
	case 1:
		size = 4 + 4 + 2
	case 4:
		size = 4 + 16 + 2
	case 3:
		size = 5 + int(b[4]) + 2
	default:
		return "", nil, false, false
	}
	if len(b) < size {
		return "", nil, false, true
	}
	if b[3] == 3 {
		name = string(b[5 : size-2])
	}
	return name, b[size:], true, false
}

// serverName reads the server_name extension (RFC 6066) of a ClientHello (RFC
// 8446 section 4.1.2), which may be spread over several records.
func serverName(b []byte) (name string, more bool) {
	var hello []byte
	for len(b) >= 5 && b[0] == 22 {
		n := int(binary.BigEndian.Uint16(b[3:]))
		whole := len(b)-5 >= n
		hello = append(hello, b[5:5+min(n, len(b)-5)]...)
		b = b[5+min(n, len(b)-5):]
		if !whole {
			break
		}
	}
	if len(hello) < 4 {
		return "", len(b) < 5
	}
	if hello[0] != 1 {
		return "", false
	}
	size := int(hello[1])<<16 | int(binary.BigEndian.Uint16(hello[2:]))
	if len(hello) < 4+size {
		return "", len(b) < 5 || b[0] == 22
	}
	c := cursor{b: hello[4 : 4+size]}
	c.take(2 + 32)                 // version, random
	c.take(int(c.number(1)))       // session
	c.take(int(c.number(2)))       // cipher suites
	c.take(int(c.number(1)))       // compression
	c.b = c.take(int(c.number(2))) // extensions
	for len(c.b) > 0 {
		kind, body := c.number(2), cursor{}
		body.b = c.take(int(c.number(2)))
		if kind == 0 {
			body.take(2) // list length
			if body.number(1) == 0 {
				return string(body.take(int(body.number(2)))), false
			}
			return "", false
		}
	}
	return "", false
}

// cursor reads from the front of a slice; beyond its end there is nothing.
type cursor struct{ b []byte }

func (c *cursor) take(n int) []byte {
	n = min(n, len(c.b))
	t := c.b[:n]
	c.b = c.b[n:]
	return t
}

func (c *cursor) number(size int) (n uint) {
	for _, b := range c.take(size) {
		n = n<<8 | uint(b)
	}
	return n
}

// httpHost reads the Host field of an HTTP/1 request (RFC 9112 section 3.2).
func httpHost(b []byte) (name string, more bool) {
	line, rest, whole := bytes.Cut(b, []byte("\r\n"))
	if !whole {
		return "", len(b) < lookLimit && printable(bytes.TrimSuffix(line, []byte("\r")))
	}
	if !printable(line) || !bytes.Contains(line, []byte(" HTTP/1.")) {
		return "", false
	}
	for {
		line, rest, whole = bytes.Cut(rest, []byte("\r\n"))
		if !whole || len(line) == 0 {
			return "", !whole
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(field, []byte("host")) {
			host := string(bytes.TrimSpace(value))
			if h, _, err := net.SplitHostPort(host); err == nil {
				host = h
			}
			return host, false
		}
	}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
