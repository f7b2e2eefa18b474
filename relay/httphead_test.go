package relay

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRequestHead(t *testing.T) {
	for head, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                        true,
		"GET / HTTP/1.0\r\n\r\n":                                                   true,
		"HEAD http://a/b?c=d HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n":           true,
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n":                                    true,
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n":                   true,
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n":                   false,
		"GET / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 1\r\n\r\n":                   false,
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n":          false,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n": false,
		"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n":                false,
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nx":                                       false,
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n":                                    false,
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n":       false,
		"GET / HTTP/1.1\r\nHost: a\r\n":                                            false,
		"GET / HTTP/1.1\nHost: a\n\n":                                              false,
		"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n":                             false,
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n":                                       false,
		"GET / HTTP/1.1\r\nA: b\nContent-Length: 3\r\n\r\n":                        false,
		"GET / HTTP/2\r\n\r\n":                                                     false,
		"GET  / HTTP/1.1\r\n\r\n":                                                  false,
		"GET /a b HTTP/1.1\r\n\r\n":                                                false,
		"GET /\r\n\r\n":                                                            false,
		"get / HTTP/1.1\r\n\r\n":                                                   false,
		"POST / HTTP/1.1\r\nHost: a\r\n\r\n":                                       false,
		"PUT / HTTP/1.1\r\n\r\n":                                                   false,
		"DELETE / HTTP/1.1\r\n\r\n":                                                false,
		"CONNECT a:1 HTTP/1.1\r\n\r\n":                                             false,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                         false,
		"":                                                                         false,
	} {
		if got := isRequestHead([]byte(head)); got != want {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
	}
}

func TestHeadBeginning(t *testing.T) {
	for _, head := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
		"HEAD http://a/b?c=d HTTP/1.0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nA:\tb\r\n\r\n",
	} {
		method := strings.IndexByte(head, ' ') + 1
		for n := range head {
			if got := isHeadBeginning([]byte(head[:n])); got != (n >= method) {
				t.Errorf("%q: %v", head[:n], got)
			}
		}
		if isHeadBeginning([]byte(head)) {
			t.Errorf("%q passes for a part", head)
		}
	}
	for _, b := range []string{
		"", "G", "GET", "get ", "POST ", "POST / HTTP/1.1\r\nHost: a", "CONNECT ", "PRI ", "XGET ",
		"GET key\r", "GET key\r\n", "GET /\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\n\n", "GET / HTTP/1.1\r\nA: b\n",
		"GET / HTTP/2", "GET / HTTP/1.10", "GET / RTSP", "GET  ", "GET /a b", "GET /\x00", "OPTIONS sip:a SIP/2.0\r\n",
		"GET / HTTP/1.1\r\n folded\r\n", "GET / HTTP/1.1\r\nContent-Length: 3\r\n", "GET / HTTP/1.1\r\nUpgrade: a\r\nB",
		"GET / HTTP/1.1\r\n\r\nx", "GET / HTTP/1.1\r\nA: b\r\n\r\nGET ",
	} {
		if isHeadBeginning([]byte(b)) {
			t.Errorf("%q passes", b)
		}
	}
}

// FuzzRequestHead holds the parser against net/http's: what we would send twice
// must be one whole request without a body for others as well.
func FuzzRequestHead(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("HEAD /x HTTP/1.0\r\nContent-Length: 0\r\nA:b\r\n\r\n"))
	f.Add([]byte("OPTIONS * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !isRequestHead(b) {
			return
		}
		for n := range b {
			if isRequestHead(b[:n]) {
				t.Errorf("the first %d bytes pass for all", n)
			}
			if isHeadBeginning(b[:n]) != (n > bytes.IndexByte(b, ' ')) {
				t.Errorf("the first %d bytes as a beginning", n)
			}
		}
		r := bufio.NewReader(bytes.NewReader(b))
		req, err := http.ReadRequest(r)
		if err != nil {
			return // stricter than we are about targets and hosts: then nobody serves it
		}
		if !strings.Contains("GET HEAD OPTIONS", req.Method) || req.ContentLength != 0 {
			t.Errorf("%s with a body of %d", req.Method, req.ContentLength)
		}
		if n, _ := io.Copy(io.Discard, req.Body); n != 0 || r.Buffered() != 0 {
			t.Errorf("%d bytes of body, %d after it", n, r.Buffered())
		}
	})
}
