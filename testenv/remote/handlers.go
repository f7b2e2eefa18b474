package remote

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func (s *Server) world(http.ResponseWriter, *http.Request) (any, error) {
	return worldOf(s.World), nil
}

func (s *Server) down(http.ResponseWriter, *http.Request) (any, error) {
	if s.Down == nil {
		return nil, &Error{http.StatusForbidden, "this world is not yours to end: it ends with what it was made for"}
	}
	s.log().Info("asked to end")
	s.Down()
	return nil, nil
}

func (s *Server) ledger(http.ResponseWriter, *http.Request) (any, error) {
	return ledgerOf(s.World.Ledger()), nil
}

// Prefixes is a list of them.
type Prefixes struct {
	Prefixes []netip.Prefix `json:"prefixes"`
}

func (s *Server) listed(http.ResponseWriter, *http.Request) (any, error) {
	return Prefixes{slices.AppendSeq([]netip.Prefix{}, s.World.Listed().All())}, nil
}

func (s *Server) enter(w http.ResponseWriter, r *http.Request) (any, error) {
	var order Registry
	if err := decode(w, r, &order); err != nil {
		return nil, err
	}
	if err := errors.Join(wrap("block", prefixError(order.Block)), wrap("unblock", prefixError(order.Unblock))); err != nil {
		return nil, err
	}
	if len(order.Block)+len(order.Unblock) == 0 {
		return nil, errors.New("needs prefixes to block or to unblock")
	}
	listed := s.World.Listed()
	for _, p := range order.Unblock {
		if !listed.Has(p) {
			return nil, &Error{http.StatusNotFound, fmt.Sprintf("%s is not listed: prefixes are struck off as they were listed", p)}
		}
	}
	if len(order.Block) > 0 {
		s.World.Block(order.Block...)
	}
	if len(order.Unblock) > 0 {
		s.World.Unblock(order.Unblock...)
	}
	s.log().Info("registry changed", "block", len(order.Block), "unblock", len(order.Unblock))
	return nil, nil
}

// isp is the ISP that a request's path names.
func (s *Server) isp(r *http.Request) (*testenv.ISP, error) { return s.ispNamed(r.PathValue("isp")) }

func (s *Server) ispNamed(name string) (*testenv.ISP, error) {
	var names []string
	for _, i := range s.World.ISPs() {
		if i.Name() == name {
			return i, nil
		}
		names = append(names, i.Name())
	}
	return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no ISP %q: %s", name, choice(names))}
}

// choice says what there is.
func choice(names []string) string {
	switch len(names) {
	case 0:
		return "there are none"
	case 1:
		return "there is " + names[0]
	}
	return "there are " + strings.Join(names, ", ")
}

// Rules is what is in force at an ISP, or what is to be.
type Rules struct {
	Rules []Rule `json:"rules"`
}

func (s *Server) rules(_ http.ResponseWriter, r *http.Request) (any, error) {
	i, err := s.isp(r)
	if err != nil {
		return nil, err
	}
	out := Rules{[]Rule{}}
	listed, rules := i.Listed(), i.Rules()
	inForce := make(map[blocker.RuleID]bool)
	for id := range rules.InForce(time.Now()) {
		inForce[id] = true
	}
	for id, rule := range rules.All() {
		r := ruleOf(id, rule, id == listed)
		r.Idle = !inForce[id]
		out.Rules = append(out.Rules, r)
	}
	return out, nil
}

// Added names the rules that were added, in their order.
type Added struct {
	IDs []blocker.RuleID `json:"ids"`
}

func (s *Server) add(w http.ResponseWriter, r *http.Request) (any, error) {
	i, err := s.isp(r)
	if err != nil {
		return nil, err
	}
	var in Rule
	if err := decode(w, r, &in); err != nil {
		return nil, err
	}
	rule, err := in.rule()
	if err != nil {
		return nil, err
	}
	if !in.Until.IsZero() && !in.Until.After(time.Now()) {
		return nil, errors.New("until: must be in the future")
	}
	id, err := i.Add(rule)
	if err != nil {
		return nil, err
	}
	return Added{[]blocker.RuleID{id}}, nil
}

func (s *Server) replace(w http.ResponseWriter, r *http.Request) (any, error) {
	i, err := s.isp(r)
	if err != nil {
		return nil, err
	}
	var in Rules
	if err := decode(w, r, &in); err != nil {
		return nil, err
	}
	if in.Rules == nil {
		return nil, errors.New("needs rules: an empty list for none")
	}
	var rules []blocker.Rule
	var errs []error
	for n, one := range in.Rules {
		rule, err := one.rule()
		rules, errs = append(rules, rule), append(errs, wrap(fmt.Sprintf("rules[%d]", n), err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	ids, err := i.Replace(rules)
	if err != nil {
		return nil, err
	}
	return Added{append([]blocker.RuleID{}, ids...)}, nil
}

func (s *Server) remove(_ http.ResponseWriter, r *http.Request) (any, error) {
	i, err := s.isp(r)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a rule has a number, got %q", r.PathValue("id"))
	}
	id := blocker.RuleID(n)
	if _, ok := i.Rules().Rule(id); !ok {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("%s has no rule %d", i.Name(), n)}
	}
	if id == i.Listed() {
		return nil, &Error{http.StatusConflict, fmt.Sprintf("rule %d applies the registry: strike off what is listed instead", n)}
	}
	i.Remove(id)
	return nil, nil
}

func (s *Server) cut(_ http.ResponseWriter, r *http.Request) (any, error) {
	i, err := s.isp(r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodPut {
		i.Cut()
		s.log().Info("network cut", "isp", i.Name())
	} else {
		i.Restore()
		s.log().Info("network restored", "isp", i.Name())
	}
	return nil, nil
}

func (s *Server) launch(w http.ResponseWriter, r *http.Request) (any, error) {
	var order Launch
	if err := decode(w, r, &order); err != nil {
		return nil, err
	}
	var cloud *testenv.Cloud
	var names []string
	for _, c := range s.World.Clouds() {
		if c.Name() == order.Cloud {
			cloud = c
		}
		names = append(names, c.Name())
	}
	if cloud == nil {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no cloud %q: %s", order.Cloud, choice(names))}
	}
	if order.In.IsValid() {
		if err := prefixError([]netip.Prefix{order.In}); err != nil {
			return nil, fmt.Errorf("in: %w", err)
		}
	}
	h, err := launch(cloud, order)
	if errors.Is(err, testenv.ErrNoAddress) {
		return nil, &Error{http.StatusConflict, err.Error()}
	}
	if err != nil {
		return nil, err
	}
	s.log().Info("machine taken", "cloud", cloud.Name(), "addr", h.Addr(), "endpoint", h.Endpoint())
	return hostOf(h), nil
}

func launch(cloud *testenv.Cloud, order Launch) (*testenv.Host, error) {
	if !order.Bare {
		if (order.User == "") != (order.Password == "") {
			return nil, errors.New("user and password: both, or neither")
		}
		return cloud.Launch(testenv.EndpointConfig{
			User: order.User, Password: order.Password, Prefix: order.In, Port: order.Port,
		})
	}
	if order.User != "" || order.Password != "" || order.Port != 0 {
		return nil, errors.New("user, password and port are for endpoints: nothing runs on a bare machine")
	}
	if order.In.IsValid() && !order.In.IsSingleIP() {
		return nil, fmt.Errorf("in: a bare machine takes one address, like %s/%d, or any", order.In.Addr(), order.In.Addr().BitLen())
	}
	return cloud.Host(order.In.Addr())
}

func (s *Server) release(_ http.ResponseWriter, r *http.Request) (any, error) {
	h, err := s.host(r.PathValue("address"))
	if err != nil {
		return nil, err
	}
	if h.Cloud() == nil {
		return nil, &Error{http.StatusConflict, h.Name() + " is a destination: only machines of clouds can be given back"}
	}
	h.Release()
	// The next machine at that address is none of theirs.
	s.endAt(h)
	s.log().Info("machine given back", "addr", h.Addr())
	return nil, nil
}

// host is the machine at an address or, a destination, of a name.
func (s *Server) host(name string) (*testenv.Host, error) {
	addr, err := netip.ParseAddr(name)
	for _, h := range s.World.Hosts() {
		if err == nil && h.Addr() == addr.Unmap() || err != nil && strings.EqualFold(h.Name(), name) {
			return h, nil
		}
	}
	if err == nil {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no machine at %s: launch one, or look where some are", addr)}
	}
	return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no machine named %q: give the address of one in a cloud, or a destination's name", name)}
}
