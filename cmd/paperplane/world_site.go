package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/lab"
)

// sites are the web servers on a world's destinations, on port 80.
type sites struct {
	servers []*http.Server
	serving sync.WaitGroup
}

// maxSite is the longest answer of a destination, in bytes.
const maxSite = 1 << 40

// openSites has each destination answer: / with a line that says who it is,
// /bytes/N with N bytes, and what is sent there by PUT or POST, with its length.
func openSites(w *testenv.World) (*sites, error) {
	s := &sites{}
	for _, h := range w.Hosts() {
		if h.Cloud() != nil {
			continue
		}
		l, err := h.Listen(80)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("%s: %w", h.Name(), err)
		}
		server := &http.Server{Handler: site(h.Name()), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		s.servers = append(s.servers, server)
		s.serving.Go(func() { _ = server.Serve(l) })
	}
	return s, nil
}

// close cuts all clients and waits for the servers.
func (s *sites) close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.serving.Wait()
}

func site(name string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprintf(w, "this is %s\n", name)
	})
	mux.HandleFunc("GET /bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
		if err != nil || n < 0 || n > maxSite {
			http.Error(w, "must be a number of bytes", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, lab.NewContent(n))
	})
	take := func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil && !errors.Is(err, io.EOF) {
			return
		}
		_, _ = fmt.Fprintf(w, "%d\n", n)
	}
	mux.HandleFunc("PUT /", take)
	mux.HandleFunc("POST /", take)
	return mux
}
