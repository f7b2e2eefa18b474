package testenv

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/paperplane-relay/paperplane/relay/exit"
)

// service is something that runs on a host's port, and can be started again.
type service struct {
	port uint16
	// begin serves l until end is called, which waits for it.
	begin func(l net.Listener) (end func())

	mu     sync.Mutex
	end    func()
	ending int // ends that have not returned
	active int // handlers that have not returned
}

// Serve runs handle in a goroutine of its own for each connection to a port,
// and closes the connection when it returns. It is a part of the host's
// process: Stop waits for the handlers, which must return when their connection
// fails, and Start listens again. On a host that is stopped it replaces what
// ran on that port before, so that an endpoint can be given another face.
func (h *Host) Serve(port uint16, handle func(net.Conn)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mem == nil {
		return ErrClosed
	}
	s := &service{port: port}
	s.begin = func(l net.Listener) func() { return s.accept(l, handle) }
	services := slices.Clone(h.services)
	if !h.up {
		services = slices.DeleteFunc(services, func(old *service) bool { return old.port == port })
	}
	h.services = append(services, s)
	if !h.up {
		return nil
	}
	return h.run(s)
}

// run begins a service. The host's lock is held.
func (h *Host) run(s *service) error {
	l, err := h.mem.Listen(s.port)
	if err != nil {
		return err
	}
	end := s.begin(l)
	s.mu.Lock()
	s.end = end
	s.mu.Unlock()
	return nil
}

// ending takes what ends the services that run. The host's lock is held, so
// that what a Start begins afterwards is not ended.
func (h *Host) ending() (ends []func()) {
	for _, s := range h.services {
		if end := s.take(); end != nil {
			ends = append(ends, end)
		}
	}
	return ends
}

// halt ends services, and waits for them.
func halt(ends []func()) {
	for _, end := range ends {
		end()
	}
}

// running names what has been told to end and has not.
func (h *Host) running() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.services {
		s.mu.Lock()
		switch {
		case s.ending == 0:
		case s.active > 0:
			names = append(names, fmt.Sprintf("%d handlers of %s port %d", s.active, h.name, s.port))
		default:
			names = append(names, fmt.Sprintf("the service of %s port %d", h.name, s.port))
		}
		s.mu.Unlock()
	}
	return names
}

func (s *service) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active += n
}

func (s *service) take() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		return nil
	}
	stop := s.end
	s.end = nil
	s.ending++
	return func() {
		stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ending--
	}
}

// accept serves connections one goroutine each.
func (s *service) accept(l net.Listener, handle func(net.Conn)) (end func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.count(1)
			wg.Go(func() {
				defer s.count(-1)
				defer func() { _ = c.Close() }()
				handle(c)
			})
		}
	})
	return func() {
		_ = l.Close()
		wg.Wait()
	}
}

// exit runs relay/exit's server: the same code as on a cloud machine, only
// that it dials within the world.
func (h *Host) exit(l net.Listener) (end func()) {
	s := &exit.Server{Dial: h.DialContext, Open: h.spec.User == "", Logger: h.w.log}
	if h.spec.User != "" {
		s.Users = map[string]string{h.spec.User: h.spec.Password}
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	return func() {
		_ = s.Close()
		_ = l.Close()
		wg.Wait()
	}
}

// Echo sends back what it gets, and ends when the client's stream does.
func Echo(c net.Conn) {
	_, _ = io.Copy(c, c)
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
}
