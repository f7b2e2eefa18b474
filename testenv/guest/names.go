package guest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/paperplane-relay/paperplane/testenv"
)

// nameServer is where an ISP's programs ask for names, over TCP only: that is
// what an ISP can listen for.
const nameServer = "127.0.0.1:53"

// idleNames is how long a connection with the name server may be silent
// (RFC 7766, 6.2.3 asks for a few seconds).
const idleNames = 10 * time.Second

// ServeNames runs a DNS server (RFC 1035, over TCP as in RFC 7766) on port 53 of
// an ISP's loopback. It knows the world's destinations and nothing else, and
// what it is asked for is in the ledger, since whoever leaves a name to the
// network shows it. Close ends it.
func ServeNames(isp *testenv.ISP) (io.Closer, error) {
	l, err := isp.Listen("tcp", nameServer)
	if err != nil {
		return nil, fmt.Errorf("name server of %s: %w", isp.Name(), err)
	}
	s := &names{isp: isp, listener: l, open: make(map[net.Conn]struct{})}
	s.serving.Go(s.accept)
	return s, nil
}

type names struct {
	isp      *testenv.ISP
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// Close cuts all connections and waits for them.
func (s *names) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *names) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			_ = c.Close()
			s.mu.Unlock()
			return
		}
		s.open[c] = struct{}{}
		s.serving.Go(func() {
			s.serve(c)
			_ = c.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.open, c)
		})
		s.mu.Unlock()
	}
}

// serve answers the questions of one connection, in their order.
func (s *names) serve(c net.Conn) {
	for {
		_ = c.SetDeadline(time.Now().Add(idleNames))
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		reply := answer(query, func(name string) (netip.Addr, error) {
			return s.isp.Lookup(context.Background(), name)
		})
		if reply == nil {
			return
		}
		reply = append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

// answer is the reply to a query, or nil to one that is none. Only addresses are
// looked up: of all else a name that exists has nothing.
func answer(query []byte, lookup func(string) (netip.Addr, error)) []byte {
	var p dnsmessage.Parser
	asked, err := p.Start(query)
	if err != nil || asked.Response {
		return nil
	}
	reply := dnsmessage.Message{Header: dnsmessage.Header{
		ID: asked.ID, Response: true, OpCode: asked.OpCode,
		Authoritative: true, RecursionDesired: asked.RecursionDesired, RecursionAvailable: true,
	}}
	questions, err := p.AllQuestions()
	switch {
	case asked.OpCode != 0:
		reply.RCode = dnsmessage.RCodeNotImplemented
	case err != nil || len(questions) != 1:
		reply.RCode = dnsmessage.RCodeFormatError
	default:
		reply.Questions = questions
		reply.Answers, reply.RCode = records(questions[0], lookup)
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// records are what a question is answered with.
func records(q dnsmessage.Question, lookup func(string) (netip.Addr, error)) ([]dnsmessage.Resource, dnsmessage.RCode) {
	if q.Class != dnsmessage.ClassINET {
		return nil, dnsmessage.RCodeRefused
	}
	addr, err := lookup(trimDot(q.Name.String()))
	if err != nil {
		return nil, dnsmessage.RCodeNameError
	}
	r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}}
	switch {
	case q.Type == dnsmessage.TypeA && addr.Is4():
		r.Body = &dnsmessage.AResource{A: addr.As4()}
	case q.Type == dnsmessage.TypeAAAA && addr.Is6():
		r.Body = &dnsmessage.AAAAResource{AAAA: addr.As16()}
	default:
		return nil, dnsmessage.RCodeSuccess
	}
	return []dnsmessage.Resource{r}, dnsmessage.RCodeSuccess
}

// trimDot is a name without the dot at its end, but for the root's.
func trimDot(name string) string {
	if n := len(name); n > 1 && name[n-1] == '.' {
		return name[:n-1]
	}
	return name
}
