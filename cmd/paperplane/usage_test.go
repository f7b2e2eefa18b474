package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// call runs the program in this process, without a terminal.
func call(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUsage holds the line that each mistake is answered with.
func TestUsage(t *testing.T) {
	const url = "socks5://127.0.0.1:9"
	for _, c := range []struct{ args, want string }{
		{"rely", `paperplane: unknown command "rely": is it "relay"? (see 'paperplane --help')`},
		{"frobnicate", `paperplane: unknown command "frobnicate" (see 'paperplane --help')`},
		{"socks5://u:secret@127.0.0.1:9", "paperplane: a URL needs a command before it: 'paperplane relay URL' (see 'paperplane --help')"},
		{"--frobnicate", "paperplane: unknown flag --frobnicate (see 'paperplane --help')"},
		{"-z", "paperplane: unknown flag -z (see 'paperplane --help')"},
		{"help frobnicate", `paperplane help: unknown command "frobnicate" (see 'paperplane help --help')`},
		{"version 2", `paperplane version: takes no arguments, got "2" (see 'paperplane version --help')`},
		{"completion", "paperplane completion: needs a shell: one of bash, zsh, fish, powershell (see 'paperplane completion --help')"},
		{"completion tcsh", `paperplane completion: must be one of bash, zsh, fish, powershell, got "tcsh" (see 'paperplane completion --help')`},
		{"completion bash zsh", `paperplane completion: takes one shell, got "zsh" as well (see 'paperplane completion --help')`},

		{"relay", "paperplane relay: needs endpoints: URLs like socks5://198.51.100.7:1080, or --endpoints FILE (see 'paperplane relay --help')"},
		{"relay --frobnicate " + url, "paperplane relay: unknown flag --frobnicate (see 'paperplane relay --help')"},
		{"relay " + url + " --patience", "paperplane relay: --patience: needs a value (see 'paperplane relay --help')"},
		{"relay " + url + " --patience -3s", "paperplane relay: --patience: must be positive, got -3s (see 'paperplane relay --help')"},
		{"relay " + url + " --patience 0", "paperplane relay: --patience: must be positive, got 0 (see 'paperplane relay --help')"},
		{"relay " + url + " --patience soon", `paperplane relay: --patience: must be a duration like 30s or 2m, got "soon" (see 'paperplane relay --help')`},
		{"relay " + url + " --drain -1s", "paperplane relay: --drain: must not be negative, got -1s (see 'paperplane relay --help')"},
		{"relay " + url + " --rotate-every -1s", "paperplane relay: --rotate-every: must not be negative, got -1s (see 'paperplane relay --help')"},
		{"relay " + url + " --active 0", "paperplane relay: --active: must be from 1 to 256, got 0 (see 'paperplane relay --help')"},
		{"relay " + url + " --active many", `paperplane relay: --active: must be a whole number, got "many" (see 'paperplane relay --help')`},
		{"relay " + url + " --warm -1", "paperplane relay: --warm: must be from 0 to 16, got -1 (see 'paperplane relay --help')"},
		{"relay " + url + " --max-clients 0", "paperplane relay: --max-clients: must be from 1 to 1048576, got 0 (see 'paperplane relay --help')"},
		{"relay " + url + " --policy best", `paperplane relay: --policy: must be one of least-latency, random, round-robin, sticky, got "best" (see 'paperplane relay --help')`},
		{"relay " + url + " --replay maybe", `paperplane relay: --replay: must be one of safe, always, never, got "maybe" (see 'paperplane relay --help')`},
		{"relay " + url + " --log-level loud", `paperplane relay: --log-level: must be one of debug, info, warn, error, got "loud" (see 'paperplane relay --help')`},
		{"relay " + url + " --log-format xml", `paperplane relay: --log-format: must be one of text, json, got "xml" (see 'paperplane relay --help')`},
		{"relay " + url + " --listen 1080", `paperplane relay: --listen: must be host:port like 127.0.0.1:1080, got "1080" (see 'paperplane relay --help')`},
		{"relay " + url + " --listen 127.0.0.1:66000", `paperplane relay: --listen: must have a port from 0 to 65535, got "127.0.0.1:66000" (see 'paperplane relay --help')`},
		{"relay " + url + " --listen 0.0.0.0:0", "paperplane relay: --listen 0.0.0.0:0: others can reach it, so it needs --user and --pass-file (see 'paperplane relay --help')"},
		{"relay " + url + " --listen :0", "paperplane relay: --listen :0: others can reach it, so it needs --user and --pass-file (see 'paperplane relay --help')"},
		{"relay " + url + " --user u", "paperplane relay: --user: needs --pass-file as well (see 'paperplane relay --help')"},
		{"relay " + url + " --pass-file f", "paperplane relay: --pass-file: needs --user as well (see 'paperplane relay --help')"},
		{"relay " + url + " --probe ftp://h/", `paperplane relay: --probe: "ftp://h/": write http:// or https:// (see 'paperplane relay --help')`},
		{"relay " + url + " --control nonsense", `paperplane relay: --control: must be host:port like example.org:443, got "nonsense" (see 'paperplane relay --help')`},
		{"relay " + url + " --control :443", `paperplane relay: --control: must be host:port like example.org:443, got ":443" (see 'paperplane relay --help')`},
		{"relay " + url + " --control example.org:0", `paperplane relay: --control: must have a port from 1 to 65535, got "example.org:0" (see 'paperplane relay --help')`},
		{"relay " + url + " --control example.org:https", `paperplane relay: --control: must have a port from 1 to 65535, got "example.org:https" (see 'paperplane relay --help')`},
		{"relay " + url + " --control 192.168.1.1:80", "paperplane relay: --control: must be a host on the internet, as others answer while the way out is down: 192.168.1.1 is private (RFC 1918) (see 'paperplane relay --help')"},
		{"relay " + url + " --control 127.0.0.1:80", "paperplane relay: --control: must be a host on the internet, as others answer while the way out is down: 127.0.0.1 is loopback (RFC 1122) (see 'paperplane relay --help')"},
		{"relay " + url + " --control [fe80::1]:80", "paperplane relay: --control: must be a host on the internet, as others answer while the way out is down: fe80::1 is link-local (RFC 4291) (see 'paperplane relay --help')"},
		{"relay socks5://52.58.4.7:1080 --control 52.58.4.7:443", "paperplane relay: --control 52.58.4.7:443: must not have the address of an endpoint, 52.58.4.7:1080: that would expose it (see 'paperplane relay --help')"},
		{"relay " + url + " --probe http://9.9.9.9/ --control 9.9.9.9:443", "paperplane relay: --control 9.9.9.9:443: must not be a probe target as well: those are reached through endpoints only (see 'paperplane relay --help')"},

		{"exit now", `paperplane exit: takes no arguments, got "now" (see 'paperplane exit --help')`},
		{"exit", "paperplane exit: --listen 0.0.0.0:1080: others can reach it, so it needs --user and --pass-file, or --allow-client (see 'paperplane exit --help')"},
		{"exit --allow all", `paperplane exit: --allow: must be a CIDR block like 10.0.0.0/8, got "all" (see 'paperplane exit --help')`},
		{"exit --allow-client 10.0.0.1/8", "paperplane exit: --allow-client: must have no bits beyond its length, got 10.0.0.1/8: write 10.0.0.0/8 or 10.0.0.1/32 (see 'paperplane exit --help')"},

		{"check", "paperplane check: needs endpoints: URLs like socks5://198.51.100.7:1080, or --endpoints FILE (see 'paperplane check --help')"},
		{"check socks5://198.51.100.7:1080", "paperplane check: --yes: needed to expose 1 address to this network, as there is no terminal to ask on (see 'paperplane check --help')"},
		{"check socks5://198.51.100.7:1080 socks5://198.51.100.8:1080 " + url, "paperplane check: --yes: needed to expose 2 addresses to this network, as there is no terminal to ask on (see 'paperplane check --help')"},
		{"check --timeout 0s " + url, "paperplane check: --timeout: must be positive, got 0s (see 'paperplane check --help')"},
		{"check --parallel 0 " + url, "paperplane check: --parallel: must be from 1 to 1024, got 0 (see 'paperplane check --help')"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := call(t, "", strings.Fields(c.args)...)
			if code != 2 || stdout != "" || stderr != c.want+"\n" {
				t.Errorf("status %d, stdout %q, stderr\n  %s want\n  %s\n", code, stdout, stderr, c.want)
			}
		})
	}
}
