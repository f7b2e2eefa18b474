package conformance

import (
	"fmt"
	"net/netip"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// name is what the request shows to whoever looks for names.
const name = "listed.lab"

// request is what the client asks, asked bytes long.
var request = fmt.Appendf(nil, "%-*s\r\n\r\n", asked-4, "GET / HTTP/1.1\r\nHost: "+name+"\r\nAccept: ")

// when is a rule for packets of a direction.
func when(d blocker.Direction, do blocker.Action) *blocker.Rule {
	return &blocker.Rule{When: blocker.When{Dir: d}, Do: do}
}

// befall makes a trouble happen.
func (t *Trouble) befall(s *scene) (end func() error, err error) {
	if t.Rule == nil {
		return t.begin(s)
	}
	r := *t.Rule
	r.When.Prefixes = []netip.Prefix{netip.PrefixFrom(s.host.Addr(), s.host.Addr().BitLen())}
	id, err := s.isp.Add(r)
	return func() error { s.isp.Remove(id); return nil }, err
}

func nothingHappens(*scene) (func() error, error) { return nil, nil }

func cut(s *scene) (func() error, error) {
	s.isp.Cut()
	return func() error { s.isp.Restore(); return nil }, nil
}

func lossy(s *scene) (func() error, error) {
	s.isp.Line().Lose(memnet.Loss{Share: .05}, memnet.Loss{Share: .05})
	return nil, nil
}

func portal(reset bool) func(*scene) (func() error, error) {
	return func(s *scene) (func() error, error) {
		s.isp.Capture(testenv.Portal{Reset: reset})
		return func() error { s.isp.Release(); return nil }, nil
	}
}

func vanish(s *scene) (func() error, error) {
	s.host.Vanish()
	return nil, nil
}

func stop(s *scene) (func() error, error) {
	s.host.Stop()
	return s.host.Start, nil
}

func hang(s *scene) (func() error, error) {
	s.host.Hang()
	return s.host.Start, nil
}

func closePort(s *scene) (func() error, error) { return nil, s.listener.Close() }
