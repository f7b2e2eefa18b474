package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/guest"
)

// Program is a program to run. Its standard streams go another way: see
// [Client.Run].
type Program struct {
	Place

	// Args are its name and arguments, Env its environment as "key=value".
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	// Dir is where it starts.
	Dir string `json:"dir,omitempty"`
}

// protocol is what a connection is upgraded to on which a program runs: first
// the client sends one byte with three descriptors, the standard streams; then
// each byte is a signal for the program, and the end of the connection is the
// program's. The server sends one Result.
const protocol = "paperplane-program"

// Result is what has become of a program.
type Result struct {
	// Status is its exit status, or 128 and the signal that has ended it.
	Status int `json:"status"`
	// Error says why it was not started.
	Error string `json:"error,omitempty"`
}

// Start runs a program in the world, with the names that are known at its
// place. Its end is the caller's to wait for; Close ends it as well.
func (s *Server) Start(at Place, p guest.Program) (*guest.Process, error) {
	start, names, err := s.place(at)
	if err != nil {
		return nil, err
	}
	p.Names = names
	if p.Logger == nil {
		p.Logger = s.log()
	}
	var host *testenv.Host
	if at.Host != "" {
		if host, err = s.host(at.Host); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, testenv.ErrClosed
	}
	q, err := guest.Start(p, start)
	if err != nil {
		return nil, err
	}
	if s.programs == nil {
		s.programs = make(map[*guest.Process]*testenv.Host)
	}
	s.programs[q] = host
	s.running.Go(func() {
		q.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.programs, q)
	})
	return q, nil
}

// place is how programs start there, and what they know.
func (s *Server) place(at Place) (start func(*exec.Cmd) error, names guest.Names, err error) {
	switch {
	case at.ISP != "" && at.Host != "" || at == Place{}:
		return nil, names, errors.New("needs a place: an ISP or a host")
	case at.Host != "":
		h, err := s.host(at.Host)
		if err != nil {
			return nil, names, err
		}
		return h.Run, guest.Hosts(s.World), nil
	}
	i, err := s.ispNamed(at.ISP)
	if err != nil {
		return nil, names, err
	}
	s.serveNames(i)
	return i.Start, guest.Asking(), nil
}

// serveNames has an ISP's programs find a name server, from the first one on.
func (s *Server) serveNames(i *testenv.ISP) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.names[i] != nil {
		return
	}
	n, err := guest.ServeNames(i)
	if err != nil {
		s.log().Warn("names cannot be resolved", "isp", i.Name(), "err", err)
		return
	}
	if s.names == nil {
		s.names = make(map[*testenv.ISP]io.Closer)
	}
	s.names[i] = n
}

func (s *Server) program(w http.ResponseWriter, r *http.Request) {
	var p Program
	if err := decode(w, r, &p); err != nil {
		fail(w, err)
		return
	}
	if r.Header.Get("Upgrade") != protocol {
		w.Header().Set("Upgrade", protocol)
		fail(w, &Error{http.StatusUpgradeRequired, "needs Upgrade: " + protocol + ", as a program's standard streams are sent beside HTTP"})
		return
	}
	if len(p.Args) == 0 || p.Args[0] == "" {
		fail(w, errors.New("args: needs a program"))
		return
	}
	if _, _, err := s.place(p.Place); err != nil {
		fail(w, err)
		return
	}
	if s.World.Backend() != testenv.Kernel {
		fail(w, fmt.Errorf("programs need a kernel world: %w", errors.ErrUnsupported))
		return
	}
	s.attend(w, p)
}

// endAt ends the programs on a machine, and waits for that.
func (s *Server) endAt(h *testenv.Host) {
	var running []*guest.Process
	s.mu.Lock()
	for p, at := range s.programs {
		if at == h {
			running = append(running, p)
		}
	}
	s.mu.Unlock()
	end(running)
}

// end ends programs, first in a friendly way.
func end(running []*guest.Process) {
	patience := time.AfterFunc(grace, func() {
		for _, p := range running {
			p.Kill()
		}
	})
	defer patience.Stop()
	var ending sync.WaitGroup
	for _, p := range running {
		p.Signal(syscall.SIGTERM)
		ending.Go(func() { p.Wait() })
	}
	ending.Wait()
}
