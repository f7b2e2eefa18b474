package guest

import (
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/paperplane-relay/paperplane/testenv"
)

// Program is what to run.
type Program struct {
	// Args are its name, looked for in PATH if it has no slash, and arguments.
	Args []string
	// Env is its environment, as "key=value". Nil is none.
	Env []string
	// Dir is where it starts; empty means here.
	Dir string
	// Stdin, Stdout and Stderr are given to it as they are; nil is nothing.
	Stdin, Stdout, Stderr *os.File
	// Names are what it knows of the world.
	Names Names
	// Apart gives it a session of its own, so that it has no terminal and
	// signals go to all that it has started. Else it is in the caller's process
	// group, and has the signals of the caller's terminal from there.
	Apart bool
	// Logger is told, as a warning, what the program has to do without because
	// this machine does not allow it. Nil discards it.
	Logger *slog.Logger
}

// The exit statuses that tell of a program that could not be started, as shells
// and env(1) have them. What a program ends with is passed on, and a signal is
// told as 128 and its number.
const (
	StatusNotExecutable = 126
	StatusNotFound      = 127
	statusSignal        = 128
)

// Names are what a program knows of the world by name: the text of files that
// are bound over those of the machine, where these exist.
type Names struct {
	// Hosts is /etc/hosts, Resolver /etc/resolv.conf.
	Hosts, Resolver string
}

// localhost is what every machine knows.
const localhost = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"

// Hosts are the names known to a machine in a cloud: all destinations. It has no
// name server.
func Hosts(w *testenv.World) Names {
	var lines []string
	for _, h := range w.Hosts() {
		if _, err := netip.ParseAddr(h.Name()); err != nil {
			lines = append(lines, h.Addr().String()+" "+h.Name()+"\n")
		}
	}
	slices.Sort(lines)
	return Names{
		Hosts: localhost + strings.Join(lines, ""),
		// Without a line for a server, this machine is asked, where none is.
		Resolver: "# no name server: see hosts(5)\noptions attempts:1 timeout:1\n",
	}
}

// Asking are the names known in an ISP: none. ServeNames must run there.
func Asking() Names {
	return Names{
		Hosts:    localhost,
		Resolver: "nameserver 127.0.0.1\noptions use-vc attempts:1 timeout:5\n",
	}
}
