package exit_test

import (
	"context"
	"io"
	"net"
	"sync"
)

// pipes is a listener in memory, for tests in virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	errs   []error // that Accept returns first
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	if len(p.errs) > 0 {
		err := p.errs[0]
		p.errs = p.errs[1:]
		return nil, err
	}
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1080} }

// dial is the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// request is CONNECT to port 80 of a name, with the greeting before it.
func request(name string) []byte {
	b := append([]byte{5, 1, 0, 5, 1, 0, 3, byte(len(name))}, name...)
	return append(b, 0, 80)
}

// echoInMemory is a dialer to a destination that sends back what it gets.
func echoInMemory(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		_, _ = io.Copy(there, there)
		there.Close()
	}()
	return here, nil
}
