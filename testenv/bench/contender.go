package bench

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
)

// Contender is a relay to measure.
type Contender struct {
	// Name is unique among the contenders of a [Bench].
	Name string
	// Note says what is different about it, in a few words; it may be empty.
	Note string
	// Command is what to run: a program that listens at listen, in front of the
	// upstream or of the destinations themselves, and stays in the foreground. It
	// may write into dir, which is for this run alone and which everybody on
	// the machine can read. A nil Command is no relay at all: "straight".
	Command func(dir string, listen, upstream netip.AddrPort) ([]string, error)
}

// Straight is the client on its own. All ratios are to it.
func Straight() Contender { return Contender{Name: "straight"} }

// Peer is somebody else's relay.
type Peer struct {
	// Program is its name, as found in $PATH and the usual places; Package is
	// Debian's name for it.
	Program, Package string
	contenders       func(program string) []Contender
}

// Peers are those that Find knows.
var Peers = []Peer{
	{"microsocks", "microsocks", microsocks},
	{"danted", "dante-server", dante},
	{"haproxy", "haproxy", haproxy},
}

// Find returns the contenders that peers offer here, and the peers that are not
// installed.
func Find(peers ...Peer) (found []Contender, missing []Peer) {
	for _, p := range peers {
		program, err := exec.LookPath(p.Program)
		if err != nil {
			program, err = exec.LookPath(filepath.Join("/usr/sbin", p.Program))
		}
		if err != nil {
			missing = append(missing, p)
			continue
		}
		found = append(found, p.contenders(program)...)
	}
	return found, missing
}

const oneHop = "one hop: dials the destination"

func microsocks(program string) []Contender {
	return []Contender{{Name: "microsocks", Note: oneHop, Command: func(_ string, listen, _ netip.AddrPort) ([]string, error) {
		return []string{program, "-i", listen.Addr().String(), "-p", fmt.Sprint(listen.Port())}, nil
	}}}
}

func dante(program string) []Contender {
	return []Contender{{Name: "dante", Note: oneHop, Command: func(dir string, listen, upstream netip.AddrPort) ([]string, error) {
		file, err := config(dir, "danted.conf", `internal: %s port = %d
external: %s
clientmethod: none
socksmethod: none
client pass { from: 127.0.0.0/8 to: 127.0.0.0/8 }
socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 }
`, listen.Addr(), listen.Port(), upstream.Addr())
		return []string{program, "-f", file, "-p", filepath.Join(dir, "danted.pid")}, err
	}}}
}

// haproxy comes twice: as it is, and asked to splice as paperplane does.
func haproxy(program string) []Contender {
	with := func(name, note, options string) Contender {
		return Contender{Name: name, Note: note, Command: func(dir string, listen, upstream netip.AddrPort) ([]string, error) {
			file, err := config(dir, "haproxy.cfg", `global
    maxconn 9400
    maxpipes 64
defaults
    mode tcp
%s    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen relay
    bind %s
    server upstream %s
`, options, listen, upstream)
			return []string{program, "-db", "-f", file}, err
		}}
	}
	const passes = "no SOCKS: passes the connection on"
	return []Contender{
		with("haproxy", passes, ""),
		with("haproxy, splice", passes+", by splice", "    option splice-request\n    option splice-response\n"),
	}
}

// config writes a file that everybody can read.
func config(dir, name, format string, args ...any) (string, error) {
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, fmt.Appendf(nil, format, args...), 0o644)
}
