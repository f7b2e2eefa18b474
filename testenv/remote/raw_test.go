package remote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/remote"
)

// raw sends a request as it is.
func (r *rig) raw(t *testing.T, q *http.Request) (code int, text string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return r.pipes.dial(ctx) }}
	response, err := transport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestStrict: what the server does not know, it refuses, in JSON.
func TestStrict(t *testing.T) {
	r := newRig(t)
	const rules = "/v1/isps/mts/rules"
	for _, c := range []struct {
		method, path, kind, body string
		code                     int
		want                     string
	}{
		{"POST", rules, "text/plain", `{"do":"drop"}`, 415, "must be JSON: send Content-Type: application/json"},
		{"POST", rules, "", `{"do":"drop"}`, 415, "must be JSON: send Content-Type: application/json"},
		{"POST", rules, "application/json", ``, 400, "the JSON is not complete"},
		{"POST", rules, "application/json", `{"do":`, 400, "the JSON is not complete"},
		{"POST", rules, "application/json", `{do}`, 400, "no JSON at byte 2: invalid character 'd' looking for beginning of object key string"},
		{"POST", rules, "application/json", `{"do":"drop"} {}`, 400, "there is something after the end of it"},
		{"POST", rules, "application/json", `{"do":"drop","prefix":"52.58.0.0/15"}`, 400, `unknown key "prefix"`},
		{"POST", rules, "application/json", `{"do":1}`, 400, "do: must not be a JSON number"},
		{"POST", rules, "application/json", `{"do":"drop","prefixes":["52.58.0.0"]}`, 400, `netip.ParsePrefix("52.58.0.0"): no '/'`},
		{"PUT", rules, "application/json", `{}`, 400, "needs rules: an empty list for none"},
		{"DELETE", rules + "/one", "", "", 400, `a rule has a number, got "one"`},
		{"PATCH", rules, "application/json", `{}`, 405, "/v1/isps/mts/rules is not for PATCH, only GET, HEAD, POST, PUT"},
		{"GET", "/v1/isps", "", "", 404, "there is no /v1/isps: the paths begin with /v1/world, /v1/ledger, /v1/registry, /v1/isps, /v1/hosts, /v1/programs"},
		{"GET", "/v2/world", "", "", 404, "there is no /v2/world: the paths begin with /v1/world, /v1/ledger, /v1/registry, /v1/isps, /v1/hosts, /v1/programs"},
		{"POST", "/v1/programs", "application/json", `{"isp":"mts","args":["true"]}`, 426, "needs Upgrade: paperplane-program, as a program's standard streams are sent beside HTTP"},
	} {
		q, err := http.NewRequestWithContext(t.Context(), c.method, "http://world"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.kind != "" {
			q.Header.Set("Content-Type", c.kind)
		}
		code, text := r.raw(t, q)
		var e remote.Error
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Errorf("%s %s %s: %v in %q", c.method, c.path, c.body, err, text)
		}
		if code != c.code || e.Message != c.want {
			t.Errorf("%s %s %s: %d %s, want\n%d %s", c.method, c.path, c.body, code, e.Message, c.code, c.want)
		}
	}
}

// TestTooLarge: a request is bounded.
func TestTooLarge(t *testing.T) {
	r := newRig(t)
	body := io.MultiReader(strings.NewReader(`{"block":["`), bytes.NewReader(make([]byte, 33<<20)))
	w := httptest.NewRecorder()
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/registry", body)
	q.Header.Set("Content-Type", "application/json")
	r.server.Handler().ServeHTTP(w, q)
	// A byte of zero is no JSON, so make sure that it is the size.
	if w.Code == http.StatusOK || w.Code == http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	q = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/registry", strings.NewReader(`{"block":["`+strings.Repeat(" ", 33<<20)))
	q.Header.Set("Content-Type", "application/json")
	w = httptest.NewRecorder()
	r.server.Handler().ServeHTTP(w, q)
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "must not be larger than 32 MiB") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// FuzzRules: whatever comes in, a rule is added or nothing is, and what was
// added can be read, and put back as it was read.
func FuzzRules(f *testing.F) {
	for _, s := range []string{
		`{"do":"drop"}`,
		`{"prefixes":["52.58.0.0/15","2001:db8::/32"],"ports":[443],"do":"freeze:16KiB,counting:up"}`,
		`{"names":["example.org"],"do":"reset,lingering:10m,renewing"}`,
		`{"from":"2031-01-01T00:00:00Z","until":"2032-01-01T00:00:00Z","probability":0.5,"direction":"down","do":"police:64kbit/s"}`,
		`{"cycle":{"start":"2031-01-01T00:00:00Z","every_seconds":86400,"on_seconds":0.5},"except_names":["a.b"],"do":"freeze:25packets"}`, `{"id":1,"do":"drop"}`, `[]`, `{"do":"drop"}x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newRig(t)
		h := r.server.Handler()
		ask := func(method, body string) (int, string) {
			q := httptest.NewRequestWithContext(t.Context(), method, "/v1/isps/mts/rules", strings.NewReader(body))
			q.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s is answered by %q", method, w.Body)
			}
			return w.Code, w.Body.String()
		}
		read := func() []remote.Rule {
			var rules remote.Rules
			if code, text := ask("GET", ""); code != 200 || json.Unmarshal([]byte(text), &rules) != nil {
				t.Fatalf("%d %s", code, text)
			}
			return rules.Rules
		}
		code, text := ask("POST", string(body))
		before := read()
		if code != 200 {
			if code < 400 || code >= 500 && code != 501 || len(before) != 0 {
				t.Fatalf("%d %s, and then there are %+v", code, text, before)
			}
			return
		}
		if len(before) != 1 {
			t.Fatalf("added one, and there are %+v", before)
		}
		before[0].ID, before[0].Idle = 0, false
		again, err := json.Marshal(remote.Rules{Rules: before})
		if err != nil {
			t.Fatal(err)
		}
		if code, text := ask("PUT", string(again)); code != 200 {
			t.Fatalf("%s: %d %s", again, code, text)
		}
		after := read()
		after[0].ID, after[0].Idle = 0, false
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%+v became %+v", before, after)
		}
	})
}

// FuzzDecoders: no body makes any path fail but in order.
func FuzzDecoders(f *testing.F) {
	f.Add(uint8(0), []byte(`{"block":["52.58.0.0/15"]}`))
	f.Add(uint8(1), []byte(`{"cloud":"amazon","bare":true,"in":"52.58.4.7/32"}`))
	f.Add(uint8(1), []byte(`{"cloud":"amazon","port":443,"user":"u","password":"p"}`))
	f.Add(uint8(2), []byte(`{"isp":"mts","args":["true"],"env":["A=1"],"dir":"/"}`))
	f.Add(uint8(3), []byte(`{"rules":[{"do":"drop"}]}`))
	f.Fuzz(func(t *testing.T, path uint8, body []byte) {
		r := newRig(t)
		paths := []string{"POST /v1/registry", "POST /v1/hosts", "POST /v1/programs", "PUT /v1/isps/mts/rules"}
		method, at, _ := strings.Cut(paths[int(path)%len(paths)], " ")
		q := httptest.NewRequestWithContext(t.Context(), method, at, bytes.NewReader(body))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Upgrade", "paperplane-program")
		w := httptest.NewRecorder()
		r.server.Handler().ServeHTTP(w, q)
		if w.Code >= 500 && w.Code != 501 || w.Code >= 400 && !strings.Contains(w.Body.String(), `"error"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
