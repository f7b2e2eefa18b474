package upstream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// maxLine bounds a line of a list, in bytes. The longest sensible one (user
// and password of 255 bytes, all escaped, and labels) is below 3 KiB.
const maxLine = 16 << 10

// ParseList reads a list of endpoints, one a line as [Parse] takes them. Empty
// lines are passed over, and so is everything from a '#' that begins a line or
// follows a space. A byte order mark and CRLF line ends are tolerated.
//
// Name is used in errors, of which there is one for each bad line, all joined:
//
//	endpoints.txt:14: "socks5//198.51.100.7": missing ':' after the scheme
//
// The same host and port on two lines is an error that names both. If there is
// any error, no endpoints are returned.
func ParseList(name string, r io.Reader) ([]policy.Spec, error) {
	var (
		specs []policy.Spec
		bad   []error
		first = make(map[string]int)
		lines = bufio.NewScanner(r)
		n     int
	)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	for lines.Scan() {
		n++
		text := lines.Text()
		if n == 1 {
			if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
				return nil, fmt.Errorf("%s:1: the file is UTF-16: save it as UTF-8", name)
			}
			text = strings.TrimPrefix(text, "\ufeff")
		}
		text = cutComment(text)
		if strings.TrimSpace(text) == "" {
			continue
		}
		spec, err := Parse(text)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s:%d: %w", name, n, err))
			continue
		}
		if before, found := first[spec.Name()]; found {
			bad = append(bad, fmt.Errorf("%s:%d: %q: the same endpoint as on line %d", name, n, spec.Name(), before))
			continue
		}
		first[spec.Name()] = n
		specs = append(specs, spec)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		bad = append(bad, fmt.Errorf("%s:%d: line longer than %d bytes; the rest was not read", name, n+1, maxLine))
	case err != nil:
		bad = append(bad, fmt.Errorf("read %s: %w", name, err))
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	return specs, nil
}

func cutComment(s string) string {
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			return s[:i]
		}
	}
	return s
}
