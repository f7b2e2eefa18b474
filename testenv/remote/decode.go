package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxBody bounds a request, in bytes: a million prefixes are about 20 MB.
const maxBody = 32 << 20

// decode reads a request's body into v, strictly: one JSON value, with known
// keys only.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &Error{http.StatusUnsupportedMediaType, "must be JSON: send Content-Type: application/json"}
	}
	err := strict(http.MaxBytesReader(w, r.Body, maxBody), v)
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("must not be larger than %d MiB", maxBody>>20)}
	}
	return err
}

// strict reads one JSON value, to the end of r.
func strict(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err == nil {
			err = errors.New("there is something after the end of it")
		}
	}
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON is not complete")
	case errors.As(err, &syntax):
		return fmt.Errorf("no JSON at byte %d: %w", syntax.Offset, err)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s: must not be a JSON %s", kind.Field, kind.Value)
	}
	if key, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return fmt.Errorf("unknown key %s", key)
	}
	return err
}
