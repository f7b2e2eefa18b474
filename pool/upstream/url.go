package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// DefaultPort is the port of an endpoint whose URL names none: the one that
// IANA has registered for SOCKS.
const DefaultPort = 1080

// Parse reads one endpoint: a URL, and after it labels of the form key=value,
// separated by spaces.
//
//	socks5://user:pass@198.51.100.7:1080 provider=aws region=eu weight=3 owner=me
//
// The scheme is socks5 or socks5h; both leave names to the endpoint, since the
// relay never resolves any. Without a scheme it is socks5, as in other tools'
// ALL_PROXY. User and password are percent-encoded where they hold one of
// "@:/?#% " and need be there only if the endpoint asks for them. An IPv6
// address stands in brackets. The port defaults to [DefaultPort].
//
// Addr is set if the host is an address; a host name is left unresolved. An
// error quotes what was given without its credentials.
func Parse(s string) (policy.Spec, error) {
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return policy.Spec{}, errors.New("empty endpoint URL")
	}
	spec, err := parseURL(fields[0])
	switch {
	case isSplit(fields[1:]):
		// The cause of whatever else is wrong.
		err = errors.New("a space within the URL (in a password write it as %20), or an unknown label: " + knownLabels())
	case err == nil:
		err = parseLabels(&spec, fields[1:])
	}
	if err != nil {
		return policy.Spec{}, fmt.Errorf("%q: %w", redact(fields), err)
	}
	return spec, nil
}

// Format writes an endpoint so that [Parse] reads the same from it, labels
// included. The result holds the password: it is for files, not for logs.
func Format(s policy.Spec) string {
	var b strings.Builder
	b.WriteString("socks5://")
	if s.User != "" {
		b.WriteString(escape(s.User))
		b.WriteByte(':')
		b.WriteString(escape(s.Password))
		b.WriteByte('@')
	}
	b.WriteString(net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))))
	formatLabels(&b, s)
	return b.String()
}

func parseURL(s string) (policy.Spec, error) {
	rest, err := cutScheme(s)
	if err != nil {
		return policy.Spec{}, err
	}
	var spec policy.Spec
	// A password may hold an unescaped @, a host never does.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if spec.User, spec.Password, err = parseCredentials(rest[:at]); err != nil {
			return policy.Spec{}, err
		}
		rest = rest[at+1:]
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return policy.Spec{}, errors.New("nothing may follow the port; in a password write / as %2F, ? as %3F, # as %23")
	}
	host, port, err := splitHostPort(rest)
	if err != nil {
		return policy.Spec{}, err
	}
	if spec.Port, err = parsePort(port); err != nil {
		return policy.Spec{}, err
	}
	if spec.Host, spec.Addr, err = parseHost(host); err != nil {
		return policy.Spec{}, err
	}
	return spec, nil
}

// cutScheme checks the scheme and returns what follows it.
func cutScheme(s string) (string, error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found || strings.ContainsAny(scheme, "@/") {
		for _, known := range []string{"socks5h", "socks5"} {
			after, ok := cutPrefixFold(s, known)
			switch {
			case !ok:
			case strings.HasPrefix(after, "//"):
				return "", errors.New("missing ':' after the scheme")
			case strings.HasPrefix(after, ":/"):
				return "", errors.New("missing '/' after the scheme: write " + known + "://")
			}
		}
		if !found {
			return s, nil
		}
		return "", errors.New("the scheme must come first: write socks5://host:port")
	}
	switch strings.ToLower(scheme) {
	case "socks5", "socks5h":
		return rest, nil
	case "":
		return "", errors.New("missing the scheme before '://': write socks5 or socks5h")
	}
	if !isScheme(scheme) {
		return "", errors.New("malformed scheme: write socks5 or socks5h")
	}
	return "", fmt.Errorf("unsupported scheme %q: only socks5 and socks5h are", strings.ToLower(scheme))
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// isScheme is true for what RFC 3986 section 3.1 allows, up to a length at
// which it is still one.
func isScheme(s string) bool {
	if s == "" || len(s) > 20 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}

// parseCredentials reads user:password. Its errors say nothing of what it read.
func parseCredentials(s string) (user, password string, err error) {
	u, p, _ := strings.Cut(s, ":")
	if user, err = url.PathUnescape(u); err != nil {
		return "", "", errors.New("malformed %-escape in the user name: write % itself as %25")
	}
	if password, err = url.PathUnescape(p); err != nil {
		return "", "", errors.New("malformed %-escape in the password: write % itself as %25")
	}
	switch {
	case user == "" && password != "":
		return "", "", errors.New("a password without a user name")
	case user == "":
		return "", "", errors.New("an empty user name before '@'")
	case len(user) > 255:
		return "", "", fmt.Errorf("user name of %d bytes: at most 255 (RFC 1929)", len(user))
	case len(password) > 255:
		return "", "", fmt.Errorf("password of %d bytes: at most 255 (RFC 1929)", len(password))
	}
	return user, password, nil
}

// splitHostPort cuts the port off. Port is empty if there is none, and the
// default is then put in its place.
func splitHostPort(s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", errors.New("missing ']' after the IPv6 address")
		}
		host, s = s[:end+1], s[end+1:]
		if s != "" && s[0] != ':' {
			return "", "", errors.New("expected ':' and a port after ']'")
		}
	} else {
		if strings.Count(s, ":") > 1 {
			if _, err := netip.ParseAddr(s); err == nil {
				return "", "", errors.New("an IPv6 address must stand in brackets: [" + s + "]:1080")
			}
			return "", "", errors.New("too many ':' (credentials end with '@', IPv6 addresses stand in brackets)")
		}
		colon := strings.IndexByte(s, ':')
		if colon < 0 {
			colon = len(s)
		}
		host, s = s[:colon], s[colon:]
	}
	if s == "" {
		return host, strconv.Itoa(DefaultPort), nil
	}
	return host, s[1:], nil
}

// parsePort does not repeat what it refuses, unless it is a number: it may be
// a password that lacks its '@'.
func parsePort(s string) (uint16, error) {
	if s == "" {
		return 0, errors.New("missing the port after ':'")
	}
	if strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("the port is not a number")
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("the port is not between 1 and 65535")
	}
	return uint16(n), nil
}

// escape percent-encodes all but RFC 3986's unreserved characters.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
