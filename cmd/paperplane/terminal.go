package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// isTerminal reports whether stream, a reader or a writer, is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// paint wraps text in a terminal colour, unless the user wants none
// (https://no-color.org) or w is no terminal.
func paint(w any, colour, text string) string {
	if text == "" || colour == "" || os.Getenv("NO_COLOR") != "" || !isTerminal(w) {
		return text
	}
	return colour + text + plain
}

// The colours, as ANSI escape sequences.
const (
	plain  = "\x1b[0m"
	faint  = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

// confirm asks the user a question on the terminal and reports whether the
// answer is yes. Anything else, the end of input and of ctx included, is no.
func (p *program) confirm(ctx context.Context, question string) bool {
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answered := make(chan string, 1)
	// A read from a terminal cannot be interrupted. If ctx ends first, this
	// goroutine ends with the process, which has nothing else to do then.
	go func() {
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		answered <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.stderr)
		return false
	case line := <-answered:
		if !strings.HasSuffix(line, "\n") {
			fmt.Fprintln(p.stderr)
		}
		answer := strings.ToLower(strings.TrimSpace(line))
		return answer == "y" || answer == "yes"
	}
}

// status is one line on a terminal that is written over again and again. On
// anything else it is nothing.
type status struct {
	p    *program
	live bool
}

func (p *program) newStatus() *status {
	return &status{p: p, live: isTerminal(p.stderr)}
}

// show replaces the line.
func (s *status) show(format string, args ...any) {
	if s.live {
		fmt.Fprintf(s.p.stderr, "\r\x1b[K"+format, args...)
	}
}

// clear takes the line away.
func (s *status) clear() {
	if s.live {
		fmt.Fprint(s.p.stderr, "\r\x1b[K")
	}
}
