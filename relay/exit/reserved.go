package exit

import (
	"bufio"
	"bytes"
	crand "crypto/rand"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/pool/probe"
)

// probeStep is how long the client of the reserved name may take for its
// request, and then for each further piece of the answer.
const probeStep = time.Minute

// answerProbe is the reserved name's service: one request, one answer. See
// package probe for what it speaks.
func (t *stream) answerProbe() {
	c := progress{t.client}
	r := bufio.NewReader(io.MultiReader(bytes.NewReader(t.in.rest()), c))
	req, err := http.ReadRequest(r)
	if err != nil {
		answerText(c, http.StatusBadRequest, "not a request")
		return
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		n, err := strconv.ParseInt(strings.TrimPrefix(req.URL.Path, "/"), 10, 64)
		if err != nil || n < 0 || n > probe.ReservedLimit {
			answerText(c, http.StatusNotFound, fmt.Sprintf("GET /N answers N bytes, 0 to %d", probe.ReservedLimit))
			return
		}
		head(c, http.StatusOK, n)
		if req.Method == http.MethodGet {
			writeNoise(c, n)
		}
	case http.MethodPost:
		n, err := io.Copy(io.Discard, io.LimitReader(req.Body, probe.ReservedLimit+1))
		switch {
		case err != nil:
			return
		case n > probe.ReservedLimit:
			answerText(c, http.StatusRequestEntityTooLarge, fmt.Sprintf("at most %d bytes", probe.ReservedLimit))
		default:
			answerText(c, http.StatusOK, strconv.FormatInt(n, 10))
		}
	default:
		answerText(c, http.StatusMethodNotAllowed, "GET, HEAD or POST")
	}
	t.part()
}

func head(w io.Writer, status int, length int64) {
	fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
		status, http.StatusText(status), length)
}

func answerText(w io.Writer, status int, text string) {
	text += "\n"
	fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(text), text)
}

// writeNoise writes n bytes that nothing on the way can compress or has seen
// before.
func writeNoise(w io.Writer, n int64) {
	var seed [32]byte
	_, _ = crand.Read(seed[:])
	noise := rand.NewChaCha8(seed)
	var b [16 << 10]byte
	for n > 0 {
		piece := b[:min(n, int64(len(b)))]
		_, _ = noise.Read(piece)
		if _, err := w.Write(piece); err != nil {
			return
		}
		n -= int64(len(piece))
	}
}

// progress gives each read and write its own time.
type progress struct{ c net.Conn }

func (p progress) Read(b []byte) (int, error) {
	_ = p.c.SetReadDeadline(time.Now().Add(probeStep))
	return p.c.Read(b)
}

func (p progress) Write(b []byte) (int, error) {
	_ = p.c.SetWriteDeadline(time.Now().Add(probeStep))
	return p.c.Write(b)
}
