package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
)

// Service is what a destination does.
type Service int

// The services of an [Upstream].
const (
	Echo   Service = iota // sends back what comes
	Source                // sends without end
	Sink                  // reads without end
	services
)

// blockSize is how much is read or written at once where throughput matters.
const blockSize = 256 << 10

// Upstream is the fixed end of every measurement: a SOCKS5 server without
// authentication, names and errors worth the name, and the destinations behind
// it. Each service has a port of its own, which can be dialled as well; the
// SOCKS5 port takes the port of a CONNECT for the service and dials nothing,
// unless there is an origin.
//
// Its connections end with it. All methods are safe for concurrent use.
type Upstream struct {
	socks  net.Listener
	own    [services]net.Listener // nil if there is an origin
	origin *Ports

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // nil once closed
	wg     sync.WaitGroup
	blocks sync.Pool
}

// NewUpstream listens on free ports of an address. With an origin, which is
// another Upstream, it has no services of its own and relays to those.
func NewUpstream(at netip.Addr, origin *Ports) (*Upstream, error) {
	u := &Upstream{
		origin: origin, conns: make(map[net.Conn]struct{}),
		blocks: sync.Pool{New: func() any { return new([blockSize]byte) }},
	}
	var err error
	listen := func() net.Listener {
		l, e := net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
		err = errors.Join(err, e)
		return l
	}
	u.socks = listen()
	for s := range u.own {
		if origin == nil {
			u.own[s] = listen()
		}
	}
	if err != nil {
		_ = u.Close()
		return nil, err
	}
	u.accept(u.socks, u.negotiate)
	for s, l := range u.own {
		if l == nil {
			continue
		}
		u.accept(l, func(c net.Conn) { u.serve(c, Service(s)) })
	}
	return u, nil
}

// Ports are those of an [Upstream].
type Ports struct {
	SOCKS    netip.AddrPort
	Services [services]netip.AddrPort
}

// Ports says where u listens; its services may be those of its origin.
func (u *Upstream) Ports() Ports {
	p := Ports{SOCKS: u.socks.Addr().(*net.TCPAddr).AddrPort()}
	if u.origin != nil {
		p.Services = u.origin.Services
		return p
	}
	for s, l := range u.own {
		p.Services[s] = l.Addr().(*net.TCPAddr).AddrPort()
	}
	return p
}

// String is a line that ParsePorts reads.
func (p Ports) String() string {
	return fmt.Sprint("upstream ", p.SOCKS, " ", p.Services[Echo], " ", p.Services[Source], " ", p.Services[Sink])
}

// ParsePorts reads what String has written.
func ParsePorts(line string) (p Ports, err error) {
	var text [1 + services]string
	if _, err := fmt.Sscanf(line, "upstream %s %s %s %s", &text[0], &text[1], &text[2], &text[3]); err != nil {
		return p, fmt.Errorf("not an upstream's line: %q", line)
	}
	if p.SOCKS, err = netip.ParseAddrPort(text[0]); err != nil {
		return p, err
	}
	for s := range p.Services {
		if p.Services[s], err = netip.ParseAddrPort(text[1+s]); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Close ends the upstream and its connections, and waits for them.
func (u *Upstream) Close() error {
	for _, l := range append([]net.Listener{u.socks}, u.own[:]...) {
		if l != nil {
			_ = l.Close()
		}
	}
	u.mu.Lock()
	for c := range u.conns {
		_ = c.Close()
	}
	u.conns = nil
	u.mu.Unlock()
	u.wg.Wait()
	return nil
}

func (u *Upstream) accept(l net.Listener, serve func(net.Conn)) {
	u.wg.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			u.mu.Lock()
			if u.conns == nil {
				u.mu.Unlock()
				_ = c.Close()
				return
			}
			u.conns[c] = struct{}{}
			u.wg.Go(func() {
				serve(c)
				_ = c.Close()
				u.mu.Lock()
				delete(u.conns, c)
				u.mu.Unlock()
			})
			u.mu.Unlock()
		}
	})
}

var (
	acceptNone = []byte{5, 0}
	refuseAll  = []byte{5, 0xff}
	granted    = []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	refused    = []byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}
)

// negotiate does as little of RFC 1928 as a relay can be served with.
func (u *Upstream) negotiate(c net.Conn) {
	var b [4 + 1 + 255 + 2]byte
	if _, err := io.ReadFull(c, b[:2]); err != nil || b[0] != 5 {
		return
	}
	methods := b[2 : 2+int(b[1])]
	if _, err := io.ReadFull(c, methods); err != nil {
		return
	}
	answer := refuseAll
	for _, m := range methods {
		if m == 0 {
			answer = acceptNone
		}
	}
	if _, err := c.Write(answer); err != nil || answer[1] != 0 {
		return
	}
	// The shortest request has one byte of a name: 4 + 1 + 1 + 2.
	n, err := io.ReadAtLeast(c, b[:], 8)
	if err != nil {
		return
	}
	length := 4 + 4 + 2
	switch b[3] {
	case 3:
		length = 4 + 1 + int(b[4]) + 2
	case 4:
		length = 4 + 16 + 2
	}
	if n < length {
		if _, err := io.ReadFull(c, b[n:length]); err != nil {
			return
		}
	}
	port := binary.BigEndian.Uint16(b[length-2:])
	for s, at := range u.Ports().Services {
		if at.Port() == port {
			u.connect(c.(*net.TCPConn), Service(s))
			return
		}
	}
	_, _ = c.Write(refused)
}

// connect grants a request.
func (u *Upstream) connect(c *net.TCPConn, s Service) {
	if u.origin == nil {
		if _, err := c.Write(granted); err == nil {
			u.serve(c, s)
		}
		return
	}
	d, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(u.origin.Services[s]))
	if err != nil {
		_, _ = c.Write(refused)
		return
	}
	defer func() { _ = d.Close() }()
	if _, err := c.Write(granted); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		forward(d, c)
	}()
	forward(c, d)
	<-done
}

// forward moves bytes until src ends or anything fails. The other direction
// ends with it, unless src has ended in order.
func forward(dst, src *net.TCPConn) {
	if err := move(dst, src); err == nil {
		_ = dst.CloseWrite()
		return
	}
	abort(dst)
	abort(src)
}

func (u *Upstream) serve(c net.Conn, s Service) {
	if s == Echo {
		echo(c)
		return
	}
	b := u.blocks.Get().(*[blockSize]byte)
	defer u.blocks.Put(b)
	step := c.Read
	if s == Source {
		step = c.Write
	}
	for {
		if _, err := step(b[:]); err != nil {
			return
		}
	}
}

// echo has a small buffer: thousands of streams idle here.
func echo(c net.Conn) {
	var b [64]byte
	for {
		n, err := c.Read(b[:])
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}
