package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// StatusFailed is the exit status of what runs a program if it is itself what
// failed, as docker(1) and env(1) have it.
const StatusFailed = 125

// maxAnswer bounds what a client reads of an answer, in bytes.
const maxAnswer = 256 << 20

// Client speaks to a Server. What a server refuses comes back as an *Error, and
// what its world cannot do is errors.ErrUnsupported. It is safe for concurrent
// use.
type Client struct {
	dial func(context.Context) (net.Conn, error)
	http *http.Client
}

// NewClient returns a client of the world at a socket. Nothing is connected yet.
func NewClient(socket string) *Client {
	return DialClient(func(ctx context.Context) (net.Conn, error) { return dial(ctx, socket) })
}

// DialClient returns a client that reaches its server by dial.
func DialClient(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{dial: dial, http: &http.Client{Transport: &http.Transport{
		// A connection for each request: there are few, and none is left behind.
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}
}

// do sends in, if it is not nil, and reads the answer into out, likewise.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	r, err := request(ctx, method, path, in)
	if err != nil {
		return err
	}
	response, err := c.http.Do(r)
	if err != nil {
		// The URL says nothing to anybody.
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return refusal(response)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("the world's answer to %s %s: %w", method, path, err)
	}
	return nil
}

func request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://world"+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// refusal is what an answer says that is no success.
func refusal(r *http.Response) error {
	e := &Error{Status: r.StatusCode}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(e); err != nil || e.Message == "" {
		e.Message = "the world answers " + r.Status
	}
	return e
}

// World tells what is where.
func (c *Client) World(ctx context.Context) (w World, err error) {
	return w, c.do(ctx, http.MethodGet, "/v1/world", nil, &w)
}

// Down ends the world. It returns before that has happened.
func (c *Client) Down(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/v1/world", nil, nil)
}

// Ledger returns the truth so far.
func (c *Client) Ledger(ctx context.Context) (l Ledger, err error) {
	return l, c.do(ctx, http.MethodGet, "/v1/ledger", nil, &l)
}

// Listed are the prefixes that the registry lists now.
func (c *Client) Listed(ctx context.Context) ([]netip.Prefix, error) {
	var p Prefixes
	err := c.do(ctx, http.MethodGet, "/v1/registry", nil, &p)
	return p.Prefixes, err
}

// Enter gives an order to the registry.
func (c *Client) Enter(ctx context.Context, order Registry) error {
	return c.do(ctx, http.MethodPost, "/v1/registry", order, nil)
}

// Rules are those in force at an ISP.
func (c *Client) Rules(ctx context.Context, isp string) ([]Rule, error) {
	var r Rules
	err := c.do(ctx, http.MethodGet, at(isp, "rules"), nil, &r)
	return r.Rules, err
}

// Add adds a rule at an ISP.
func (c *Client) Add(ctx context.Context, isp string, r Rule) (blocker.RuleID, error) {
	var added Added
	if err := c.do(ctx, http.MethodPost, at(isp, "rules"), r, &added); err != nil {
		return 0, err
	}
	if len(added.IDs) != 1 {
		return 0, errors.New("the world does not say which rule it has added")
	}
	return added.IDs[0], nil
}

// Replace puts rules in the place of all at an ISP but the one that applies the
// registry.
func (c *Client) Replace(ctx context.Context, isp string, rules []Rule) ([]blocker.RuleID, error) {
	var added Added
	err := c.do(ctx, http.MethodPut, at(isp, "rules"), Rules{append([]Rule{}, rules...)}, &added)
	return added.IDs, err
}

// Remove removes a rule at an ISP.
func (c *Client) Remove(ctx context.Context, isp string, id blocker.RuleID) error {
	return c.do(ctx, http.MethodDelete, at(isp, "rules/"+strconv.FormatUint(uint64(id), 10)), nil, nil)
}

// Cut takes an ISP's network down.
func (c *Client) Cut(ctx context.Context, isp string) error {
	return c.do(ctx, http.MethodPut, at(isp, "cut"), nil, nil)
}

// Restore ends a Cut.
func (c *Client) Restore(ctx context.Context, isp string) error {
	return c.do(ctx, http.MethodDelete, at(isp, "cut"), nil, nil)
}

// Launch takes a machine.
func (c *Client) Launch(ctx context.Context, order Launch) (h Host, err error) {
	return h, c.do(ctx, http.MethodPost, "/v1/hosts", order, &h)
}

// Release gives a machine back.
func (c *Client) Release(ctx context.Context, addr netip.Addr) error {
	return c.do(ctx, http.MethodDelete, "/v1/hosts/"+addr.String(), nil, nil)
}

func at(isp, what string) string { return "/v1/isps/" + url.PathEscape(isp) + "/" + what }
