package verdicts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Events, as cases write them.

// rule is one event: a rule about some endpoints, for good.
func rule(w Whom, do blocker.Action) []Event {
	return []Event{{Whom: w, Rule: &blocker.Rule{Do: do}}}
}

// oneWay is one event: an endpoint's packets of one direction are dropped.
func oneWay(d blocker.Direction) []Event {
	return []Event{{Whom: One, Rule: &blocker.Rule{When: blocker.When{Dir: d}, Do: blocker.Drop()}}}
}

// host is one event: something is done to the machine of one endpoint.
func host(do Deed) []Event { return []Event{{Whom: One, Host: do}} }

// as is a verdict with any of the causes; without any it may be any.
func as(v policy.Verdict, causes ...policy.Outcome) (answers []Answer) {
	if len(causes) == 0 {
		return []Answer{{Verdict: v}}
	}
	for _, c := range causes {
		answers = append(answers, Answer{Verdict: v, Cause: c})
	}
	return answers
}

// serving has something else run where the endpoint did.
func serving(f func(net.Conn)) Deed {
	return func(_ *Scene, h *testenv.Host) error {
		h.Stop()
		return errors.Join(h.Serve(h.Spec().Port, f), h.Start())
	}
}

// noEgress has an endpoint refuse all requests, with one of the codes that tell
// of a dead egress, at once or after a moment.
func noEgress(s *Scene, h *testenv.Host) error {
	reply := []byte{1, 3, 4}[s.rng.IntN(3)]
	after := time.Duration(s.rng.IntN(2)) * time.Second
	return granting(testenv.NoEgress(reply, after))(s, h)
}

// mute has an endpoint let everybody in and then say nothing to a request.
func mute(s *Scene, h *testenv.Host) error {
	return granting(testenv.Mute)(s, h)
}

// granting is serving where all is well until the request: that is the attempt
// that is affected, and no dial is.
func granting(f func(net.Conn)) Deed {
	return func(s *Scene, h *testenv.Host) error {
		login := len(h.Spec().User) + len(h.Spec().Password) + 3
		s.expect(h)
		return serving(func(c net.Conn) {
			f(&watchedConn{Conn: c, login: login + 4, seen: func() { s.notice(h) }})
		})(s, h)
	}
}

// watchedConn tells when its client has come as far as to a request.
type watchedConn struct {
	net.Conn
	login int // bytes of methods and login, at most
	seen  func()
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.login -= n; c.login < 0 && n > 0 && c.seen != nil {
		c.seen()
		c.seen = nil
	}
	return n, err
}

// say connects to an endpoint as nobody's program does, and says a word that the
// blocker listens for.
func (s *Scene) say(h *testenv.Host, word string) error {
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	c, err := s.ISPs[0].DialContext(ctx, "tcp", h.Spec().Address())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", word); err != nil {
		return err
	}
	time.Sleep(2 * access)
	// An orderly end would be sent again and again, and renew the window.
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(0)
	}
	return nil
}
