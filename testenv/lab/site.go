package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// siteName is the name of a destination, which only endpoints resolve, where a
// scenario has none.
const siteName = "telegram.lab"

// bigSize is the size of /big, in bytes.
const bigSize = 100_000_000

// site is the web server on ports 80 and 443 of every destination. It runs until
// close.
type site struct {
	names   []string
	servers []*http.Server
	serving sync.WaitGroup
	// roots is what its clients trust.
	roots *x509.CertPool
}

// newSite starts the destinations, which exist already, or one if there is none.
func newSite(w *testenv.World, plans []scenario.Destination) (*site, error) {
	s := new(site)
	var hosts []*testenv.Host
	for _, plan := range plans {
		hosts = append(hosts, w.Named(plan.Name))
	}
	if len(hosts) == 0 {
		hosts = append(hosts, w.Destination(siteName, testenv.DestinationConfig{Latency: 5 * time.Millisecond}))
	}
	for _, h := range hosts {
		s.names = append(s.names, h.Name())
	}
	certificate, roots, err := selfSigned(s.names)
	if err != nil {
		return nil, err
	}
	s.roots = roots
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("GET /big", bigFile)
	mux.HandleFunc("GET /photo", photo)
	mux.HandleFunc("GET /stream", stream)
	for _, h := range hosts {
		if err := s.serve(h, mux, certificate); err != nil {
			s.close()
			return nil, fmt.Errorf("%s: %w", h.Name(), err)
		}
	}
	return s, nil
}

func (s *site) serve(h *testenv.Host, handler http.Handler, certificate tls.Certificate) error {
	for port, config := range map[uint16]*tls.Config{80: nil, 443: {Certificates: []tls.Certificate{certificate}}} {
		l, err := h.Listen(port)
		if err != nil {
			return err
		}
		if config != nil {
			l = tls.NewListener(l, config)
		}
		server := &http.Server{
			Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		}
		s.servers = append(s.servers, server)
		s.serving.Go(func() { _ = server.Serve(l) })
	}
	return nil
}

// close cuts all clients and waits for the servers.
func (s *site) close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.serving.Wait()
}

const pageText = `<!doctype html>
<title>It works</title>
<h1>It works.</h1>
<p>You reach this page through an endpoint that is not blocked, at this moment.
<p><a href="/big">/big</a> is 100 MB that can be resumed: fetch it while the blocker is at work.
`

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, pageText)
}

// published is when everything on the site was changed last.
var published = time.Date(2018, time.April, 16, 0, 0, 0, 0, time.UTC)

func bigFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", strconv.Quote("big-"+strconv.Itoa(bigSize)))
	http.ServeContent(w, r, "big", published, NewContent(bigSize))
}

// photo is 48 KiB, more than what passes before a freeze, or as many bytes as are
// asked for.
func photo(w http.ResponseWriter, r *http.Request) {
	size := int64(48 << 10)
	if n, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64); err == nil && n > 0 && n <= bigSize {
		size = n
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, NewContent(size))
}

// stream goes on until its client leaves: a few bytes four times a second.
func stream(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, "still here, and so are you\n"); err != nil || c.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// selfSigned makes a certificate for names, and the pool that trusts it.
func selfSigned(names []string) (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots, nil
}
