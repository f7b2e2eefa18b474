//go:build !linux

package remote

import "net/http"

func (s *Server) attend(w http.ResponseWriter, _ Program) {
	fail(w, &Error{http.StatusNotImplemented, "programs need Linux"})
}
