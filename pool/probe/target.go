package probe

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Target is a resource to download through an endpoint: http or https, and at
// least as long as the Prober's Size. Only its beginning is read. Redirects are
// not followed.
type Target struct {
	// TLS is true for https.
	TLS bool
	// Host is a name or an address, without brackets. Names are resolved by the
	// endpoint.
	Host string
	Port uint16
	// Path is the request's target: a path and perhaps a query; empty is "/".
	Path string
}

// ParseTarget reads a target from its URL: http://host[:port]/path, or https.
func ParseTarget(s string) (Target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, errors.New("probe target: malformed URL")
	}
	t := Target{Host: u.Hostname(), Path: u.RequestURI()}
	port := u.Port()
	switch strings.ToLower(u.Scheme) {
	case "http":
		t.Port = 80
	case "https":
		t.Port, t.TLS = 443, true
	default:
		return Target{}, fmt.Errorf("probe target %q: write http:// or https://", u.Redacted())
	}
	switch {
	case u.User != nil:
		return Target{}, fmt.Errorf("probe target %q: credentials are not sent to a target", u.Redacted())
	case t.Host == "" || len(t.Host) > 253:
		return Target{}, fmt.Errorf("probe target %q: missing or overlong host", u.Redacted())
	case port != "":
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Target{}, fmt.Errorf("probe target %q: the port is not between 1 and 65535", u.Redacted())
		}
		t.Port = uint16(n)
	}
	return t, nil
}

// String is the target's URL.
func (t Target) String() string {
	scheme, standard := "http", uint16(80)
	if t.TLS {
		scheme, standard = "https", 443
	}
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.Port != standard {
		host += ":" + strconv.Itoa(int(t.Port))
	}
	return scheme + "://" + host + t.path()
}

func (t Target) path() string {
	if t.Path == "" {
		return "/"
	}
	return t.Path
}

func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) }

// reserved is the target that endpoints of our own serve by themselves.
func reserved(size int64) Target {
	return Target{Host: ReservedHost, Port: ReservedPort, Path: "/" + strconv.FormatInt(min(size, ReservedLimit), 10)}
}
