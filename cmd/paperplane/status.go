package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/paperplane-relay/paperplane/testenv/remote"
)

// The exit statuses. What runs a program inside a world ends with that one's,
// and with remote.StatusFailed if it could not run it.
const (
	statusOK     = 0
	statusFailed = 1 // something went wrong while running
	statusUsage  = 2 // what was asked for makes no sense
)

// usageError is an error in what the user wrote. Hint asks for a pointer to the
// command's help: it is of no use for an error in a file.
type usageError struct {
	err  error
	hint bool
}

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

// exitStatus is a status to end with about which there is nothing to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// runError is a failure of what runs a program: it must not look like the
// program's.
type runError struct{ err error }

func (r *runError) Error() string { return r.err.Error() }
func (r *runError) Unwrap() error { return r.err }

// usagef is an error in the command line.
func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), hint: true}
}

// flagError turns what the flag parser says into one clear sentence that names
// the flag as the user writes it.
func flagError(err error) error {
	var (
		value   *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
		unknown *pflag.NotExistError
	)
	switch {
	case errors.As(err, &value):
		return usagef("--%s: %w", value.GetFlag().Name, errors.Unwrap(value))
	case errors.As(err, &missing):
		return usagef("--%s: needs a value", missing.GetFlag().Name)
	case errors.As(err, &unknown):
		if shorts := unknown.GetSpecifiedShortnames(); shorts != "" {
			return usagef("unknown flag -%s", shorts)
		}
		return usagef("unknown flag --%s", unknown.GetSpecifiedName())
	}
	return usagef("%w", err)
}

// report tells the user how the command ended and returns the exit status.
// Every line of an error starts with the command, so that it can be told from
// the output of others.
func report(w io.Writer, command string, err error) int {
	if err == nil {
		return statusOK
	}
	status, hint := statusFailed, ""
	if silent := exitStatus(0); errors.As(err, &silent) {
		return int(silent)
	}
	if run := (*runError)(nil); errors.As(err, &run) {
		status = remote.StatusFailed
	}
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		status = statusUsage
		if usage.hint {
			hint = fmt.Sprintf(" (see '%s --help')", command)
		}
	}
	if strings.HasSuffix(command, " world run") || strings.HasSuffix(command, " world exec") {
		// Any other status is the program's.
		status = remote.StatusFailed
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(w, "%s: %s%s\n", command, line, hint)
	}
	return status
}
