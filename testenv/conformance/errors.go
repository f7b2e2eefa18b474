package conformance

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

// ErrorCase is what a program is told of a connection's end, call after call. A
// kernel tells an error once, to whoever asks first: what comes after that looks
// like a clean end to a reader.
type ErrorCase struct {
	Name  string
	Steps []Step
}

// Step is one call at one side.
type Step struct {
	Server bool
	Do     Op
	Want   string // "" if it does not matter
}

// Op is a call.
type Op uint8

// The calls.
const (
	// Read reads up to 1 KiB, for a second at most.
	Read Op = iota
	// Write writes 10 bytes.
	Write
	// CloseWrite ends the side's own stream.
	CloseWrite
	// Close gives the connection up. With data unread, or after SetLinger(0) as
	// for Abort, the other side is told so by RST.
	Close
	Abort
)

var opNames = [...]string{"read", "write", "closes its stream", "closes", "aborts"}

// String is the call as the table has it.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "op?"
}

// String is the step as the table has it.
func (s Step) String() string {
	if s.Server {
		return "server " + s.Do.String()
	}
	return "client " + s.Do.String()
}

// errorCases are the sequences.
func errorCases() []ErrorCase {
	client := func(do Op, want string) Step { return Step{Do: do, Want: want} }
	server := func(do Op) Step { return Step{Server: true, Do: do} }
	return []ErrorCase{
		{"RST, then reads", []Step{
			server(Abort), client(Read, "ECONNRESET"), client(Read, "EOF"), client(Write, "EPIPE"),
		}},
		{"RST, then writes", []Step{
			server(Abort), client(Write, "ECONNRESET"), client(Write, "EPIPE"), client(Read, "EOF"),
		}},
		{"data, RST", []Step{
			server(Write), server(Abort), client(Read, "10 B"), client(Read, "ECONNRESET"), client(Read, "EOF"),
		}},
		{"data, RST, then a write", []Step{
			server(Write), server(Abort), client(Write, "ECONNRESET"), client(Read, "10 B"), client(Read, "EOF"),
		}},
		{"end of stream, RST", []Step{
			server(CloseWrite), server(Abort), client(Read, "EOF"), client(Write, "EPIPE"), client(Read, "EOF"),
		}},
		{"closed, then written to", []Step{
			server(Close), client(Write, "10 B"), client(Write, "EPIPE"), client(Read, "EOF"),
		}},
		{"closed with data unread", []Step{
			client(Write, "10 B"), server(Close), client(Read, "ECONNRESET"), client(Write, "EPIPE"),
		}},
		{"half closed", []Step{
			client(CloseWrite, ""), server(Write), server(Close), client(Read, "10 B"), client(Read, "EOF"), client(Write, "EPIPE"),
		}},
	}
}

// play makes the calls in a world of a backend, and returns what each said.
func (c *ErrorCase) play(on testenv.Backend) (said []string, err error) {
	s, err := newScene(on, false)
	if err != nil {
		return nil, err
	}
	client, server, err := s.connect(false)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, step := range c.Steps {
		conn := client
		if step.Server {
			conn = server
		}
		said = append(said, step.Do.call(conn))
		s.await(settle, never)
	}
	abort(client)
	abort(server)
	return said, s.close()
}

// differs tells of the first step at which a backend did not do what the table
// says, or is empty.
func (c *ErrorCase) differs(said []string) string {
	for n, s := range c.Steps {
		if s.Want != "" && said[n] != s.Want {
			return fmt.Sprintf("%v: %s, want %s", s, said[n], s.Want)
		}
	}
	return ""
}

// call makes the call, and says what came of it.
func (o Op) call(c net.Conn) string {
	var err error
	var n int
	switch o {
	case Read:
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, err = c.Read(make([]byte, 1<<10))
	case Write:
		n, err = c.Write(make([]byte, 10))
	case CloseWrite:
		err = c.(interface{ CloseWrite() error }).CloseWrite()
	case Close:
		err = c.Close()
	case Abort:
		abort(c)
	}
	if err != nil {
		return endOf(err).String()
	}
	return size(int64(n))
}
