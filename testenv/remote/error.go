package remote

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Error is what a server has to say about a request that it has not carried out.
type Error struct {
	// Status is the HTTP status, 400 to 599.
	Status int `json:"-"`
	// Message is for people, and says what to do.
	Message string `json:"error"`
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Is makes what the world's backend cannot do errors.ErrUnsupported.
func (e *Error) Is(target error) bool {
	return target == errors.ErrUnsupported && e.Status == http.StatusNotImplemented
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	e := &Error{Status: http.StatusBadRequest, Message: err.Error()}
	var known *Error
	switch {
	case errors.As(err, &known):
		e.Status = known.Status
	case errors.Is(err, errors.ErrUnsupported):
		e.Status = http.StatusNotImplemented
	}
	write(w, e.Status, e)
}

// write answers in JSON.
func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	// Who does not listen to the end does not want to know.
	_ = e.Encode(v)
}
