package main

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The types below are flag values that refuse what is impossible while the
// command line is read, so that the error names the flag and the value.

// duration is a span of time. Zero is allowed only where it means something.
type duration struct {
	to   *time.Duration
	zero bool
}

func (d duration) String() string {
	if d.to == nil {
		return ""
	}
	return short(*d.to)
}
func (d duration) Type() string { return "duration" }

func (d duration) Set(s string) error {
	v, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return fmt.Errorf("must be a duration like 30s or 2m, got %q", s)
	case v < 0 && d.zero:
		return fmt.Errorf("must not be negative, got %s", s)
	case v <= 0 && !d.zero:
		return fmt.Errorf("must be positive, got %s", s)
	}
	*d.to = v
	return nil
}

// short is a duration without the zero units that String shows: 2m, not 2m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// number is a whole number within bounds.
type number struct {
	to       *int
	min, max int
}

func (n number) String() string {
	if n.to == nil {
		return ""
	}
	return strconv.Itoa(*n.to)
}
func (n number) Type() string { return "number" }

func (n number) Set(s string) error {
	v, err := strconv.Atoi(s)
	switch {
	case err != nil:
		return fmt.Errorf("must be a whole number, got %q", s)
	case v < n.min || v > n.max:
		return fmt.Errorf("must be from %d to %d, got %d", n.min, n.max, v)
	}
	*n.to = v
	return nil
}

// factor is a number by which something is multiplied: positive, and perhaps with
// a point in it.
type factor struct{ to *float64 }

func (f factor) String() string {
	if f.to == nil || *f.to == 0 {
		return ""
	}
	return strconv.FormatFloat(*f.to, 'f', -1, 64)
}
func (f factor) Type() string { return "N" }

func (f factor) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || math.IsInf(v, 0) || math.IsNaN(v):
		return fmt.Errorf("must be a number like 1440 or 0.5, got %q", s)
	case v <= 0:
		return fmt.Errorf("must be positive, got %s", s)
	}
	*f.to = v
	return nil
}

// choice is one word out of a few.
type choice struct {
	to    *string
	words []string
}

func (c choice) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}
func (c choice) Type() string { return strings.Join(c.words, "|") }

func (c choice) Set(s string) error {
	if !slices.Contains(c.words, s) {
		return fmt.Errorf("must be one of %s, got %q", strings.Join(c.words, ", "), s)
	}
	*c.to = s
	return nil
}

// choiceFlag adds a choice to a command, and teaches the shell its words.
func choiceFlag(cmd *cobra.Command, to *string, name, usage string, words ...string) {
	cmd.Flags().Var(choice{to: to, words: words}, name, usage)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// address is where to listen: a host and a port. Port 0 asks the system for a
// free one.
type address struct{ to *string }

func (a address) String() string {
	if a.to == nil {
		return ""
	}
	return *a.to
}
func (a address) Type() string { return "host:port" }

func (a address) Set(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("must be host:port like 127.0.0.1:1080, got %q", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("must have a port from 0 to 65535, got %q", s)
	}
	*a.to = s
	return nil
}

// prefixes is a list of CIDR blocks; every use of the flag adds one.
type prefixes struct{ to *[]netip.Prefix }

func (p prefixes) String() string { return "" }
func (p prefixes) Type() string   { return "CIDR" }

func (p prefixes) Set(s string) error {
	v, err := netip.ParsePrefix(s)
	if addr, e := netip.ParseAddr(s); e == nil && addr.Zone() == "" {
		v, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("must be a CIDR block like 10.0.0.0/8, got %q", s)
	case v != v.Masked():
		// A block that is wider than it looks is a bad surprise in an
		// allow-list.
		return fmt.Errorf("must have no bits beyond its length, got %s: write %s or %s/%d",
			s, v.Masked(), v.Addr(), v.Addr().BitLen())
	}
	*p.to = append(*p.to, v)
	return nil
}
