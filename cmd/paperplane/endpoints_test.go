package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// names is a resolver that knows these names.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, a := range n[host] {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	if addrs == nil {
		return nil, errors.New("no such host")
	}
	return addrs, nil
}

func TestResolve(t *testing.T) {
	known := names{
		"one.example":  {"198.51.100.1"},
		"two.example":  {"198.51.100.2", "2001:db8::2"},
		"same.example": {"198.51.100.1"},
	}
	spec := func(host string) policy.Spec {
		addr, _ := netip.ParseAddr(host)
		return policy.Spec{Host: host, Port: 1080, Addr: addr, User: "u", Password: "secret"}
	}
	for _, c := range []struct {
		name  string
		hosts []string
		want  []string // name=address
		warn  []string
		fails bool
	}{
		{name: "an address", hosts: []string{"203.0.113.5"}, want: []string{"203.0.113.5:1080=203.0.113.5:1080"}},
		{name: "a name with one address keeps it", hosts: []string{"one.example"}, want: []string{"one.example:1080=198.51.100.1:1080"}},
		{
			name: "a name with two is two endpoints", hosts: []string{"two.example"},
			want: []string{"198.51.100.2:1080=198.51.100.2:1080", "[2001:db8::2]:1080=[2001:db8::2]:1080"},
		},
		{
			name: "an unknown name is left out", hosts: []string{"none.example", "one.example"},
			want: []string{"one.example:1080=198.51.100.1:1080"},
			warn: []string{`level=WARN msg="endpoint left out: its name cannot be resolved" endpoint=none.example:1080 err="no such host"`},
		},
		{
			name: "an address that is there already is left out", hosts: []string{"one.example", "same.example"},
			want: []string{"one.example:1080=198.51.100.1:1080"},
			warn: []string{`level=WARN msg="endpoint left out: its address is there already" endpoint=same.example:1080 address=198.51.100.1:1080 first=one.example:1080`},
		},
		{
			name: "nothing is left", hosts: []string{"none.example"}, fails: true,
			warn: []string{`level=WARN msg="endpoint left out: its name cannot be resolved" endpoint=none.example:1080 err="no such host"`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var specs []policy.Spec
			for _, h := range c.hosts {
				specs = append(specs, spec(h))
			}
			var said bytes.Buffer
			out, err := resolve(t.Context(), known, specs, timeless(&said))
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			var got []string
			for _, s := range out {
				got = append(got, s.Name()+"="+s.Address())
				if s.Password != "secret" {
					t.Errorf("%s has lost its credentials", s)
				}
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if want := strings.Join(append(c.warn, ""), "\n"); said.String() != want {
				t.Errorf("warned\n%swant\n%s", said.String(), want)
			}
		})
	}
}

// timeless is a text log without times, to compare.
func timeless(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// TestBadLists holds what is said of lists that cannot be read: all of their bad
// lines, and none of their secrets.
func TestBadLists(t *testing.T) {
	bad := file(t, "endpoints.txt", `# mine
socks5://u:secret@198.51.100.7:1080
http://u:secret@198.51.100.8:1080

socks5://u:secret@198.51.100.9:99999 provider=a
`)
	empty := file(t, "empty.txt", "# nothing yet\n")
	for _, command := range []string{"relay", "check"} {
		for _, c := range []struct {
			name  string
			args  []string
			stdin string
			code  int
			want  []string
		}{
			{name: "bad lines", args: []string{"--endpoints", bad}, code: 2, want: []string{
				bad + ":3: ", bad + ":5: ",
			}},
			{name: "bad lines and arguments", args: []string{"--endpoints", bad, "socks9://u:secret@h"}, code: 2, want: []string{
				bad + ":3: ", bad + ":5: ", `"socks9://`,
			}},
			{name: "standard input", args: []string{"--endpoints", "-"}, stdin: "nonsense://x\n", code: 2, want: []string{
				"standard input:1: ",
			}},
			{name: "empty", args: []string{"--endpoints", empty}, code: 2, want: []string{empty + ": there is no endpoint in it"}},
			{name: "missing", args: []string{"--endpoints", empty + ".not"}, code: 1, want: []string{"--endpoints: open "}},
			{name: "a directory", args: []string{"--endpoints", os.TempDir()}, code: 1, want: []string{"read "}},
		} {
			t.Run(command+" "+c.name, func(t *testing.T) {
				code, stdout, stderr := call(t, c.stdin, append([]string{command}, c.args...)...)
				lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
				if code != c.code || stdout != "" || len(lines) != len(c.want) {
					t.Fatalf("status %d, want %d, stdout %q, stderr\n%s", code, c.code, stdout, stderr)
				}
				for i, line := range lines {
					if !strings.HasPrefix(line, "paperplane "+command+": "+c.want[i]) {
						t.Errorf("line %q, want it to begin with %q", line, c.want[i])
					}
				}
				if strings.Contains(stderr, "secret") {
					t.Errorf("a secret is shown:\n%s", stderr)
				}
			})
		}
	}
}
