package probe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/probe"
)

func ExampleParseTarget() {
	t, err := probe.ParseTarget("https://mirror.example.org:8443/big.iso?part=1")
	fmt.Println(t, t.Host, t.Port, t.TLS, err)
	// Output: https://mirror.example.org:8443/big.iso?part=1 mirror.example.org 8443 true <nil>
}

func TestParseTarget(t *testing.T) {
	for _, tc := range []struct{ in, want, err string }{
		{"http://a.example/x", "http://a.example/x", ""},
		{"HTTP://a.example", "http://a.example/", ""},
		{"http://[2001:db8::1]:80/x", "http://[2001:db8::1]/x", ""},
		{"ftp://a.example/x", "", "http:// or https://"},
		{"a.example/x", "", "http:// or https://"},
		{"http://a.example:99999/", "", "between 1 and 65535"},
		{"http:///x", "", "host"},
		{"http://me:hunter2@a.example/", "", "credentials"},
		{"http://me:hunter2@a.example:0:1/", "", "malformed"},
	} {
		got, err := probe.ParseTarget(tc.in)
		switch {
		case tc.err == "" && (err != nil || got.String() != tc.want):
			t.Errorf("%q: %q, %v; want %q", tc.in, got, err, tc.want)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%q: error %v, want %q", tc.in, err, tc.err)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%q: the error shows the password: %v", tc.in, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("http://a.example/x?y")
	f.Add("https://[2001:db8::1]:8443/")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := probe.ParseTarget(s)
		if err != nil {
			return
		}
		again, err := probe.ParseTarget(got.String())
		if err != nil || again != got {
			t.Errorf("%q: %+v reads back as %+v, %v", s, got, again, err)
		}
	})
}
