package verdicts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

// The destinations.
const (
	usualSite = "site.lab"
	otherSite = "news.lab"
	probeSite = "probe.lab"
	probePath = "/1048576"
)

// settle starts the destinations.
func (s *Scene) settle() error {
	var errs []error
	for _, name := range []string{usualSite, otherSite, probeSite} {
		h := s.World.Destination(name, testenv.DestinationConfig{Latency: 5 * time.Millisecond})
		s.Sites[name] = h
		errs = append(errs, h.Serve(80, web), h.Serve(7, testenv.Echo))
	}
	return errors.Join(errs...)
}

// filler is what bodies are made of.
var filler [32 << 10]byte

// web answers one request: GET /N with N bytes, PUT with two, after it has read
// the body.
func web(c net.Conn) {
	r := bufio.NewReaderSize(c, 4<<10)
	method, path, length, err := readHead(r)
	if err != nil {
		return
	}
	answer := int64(2)
	if method == "PUT" {
		_, err = io.CopyN(io.Discard, r, length)
	} else {
		answer, err = strconv.ParseInt(strings.TrimPrefix(path, "/"), 10, 64)
	}
	if err != nil {
		return
	}
	if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", answer); err != nil {
		return
	}
	_ = fill(c, answer)
}

// readHead reads a request's head, as far as it matters.
func readHead(r *bufio.Reader) (method, path string, length int64, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", "", 0, err
	}
	method, rest, _ := strings.Cut(line, " ")
	path, _, _ = strings.Cut(rest, " ")
	for {
		if line, err = r.ReadString('\n'); err != nil || line == "\r\n" {
			return method, path, length, err
		}
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "content-length") {
			if length, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil {
				return "", "", 0, err
			}
		}
	}
}

// fill writes n bytes.
func fill(w io.Writer, n int64) error {
	for n > 0 {
		m, err := w.Write(filler[:min(n, int64(len(filler)))])
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}
