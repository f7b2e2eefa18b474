package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"runtime"
)

// maxSecret is the longest user name or password in bytes (RFC 1929).
const maxSecret = 255

// readPassword returns the first line of the file. The file is there because a
// password on a command line can be seen by everybody on the machine; so a file
// that everybody can read gets a warning.
func readPassword(name string, log *slog.Logger) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("--pass-file: %w", err)
	}
	warnReadable(name, "password", log)
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 || len(line) > maxSecret {
		return "", usagef("--pass-file: the first line of %s must hold a password of 1 to %d bytes, it has %d",
			name, maxSecret, len(line))
	}
	return string(line), nil
}

// warnReadable warns if everybody on this machine can read the file.
func warnReadable(name, what string, log *slog.Logger) {
	info, err := os.Stat(name)
	// Windows reports permissions that say nothing about who can read.
	if err != nil || runtime.GOOS == "windows" || !info.Mode().IsRegular() {
		return
	}
	if info.Mode().Perm()&0o004 != 0 {
		log.Warn("everybody on this machine can read the "+what+" file", "file", name, "mode", info.Mode().Perm().String())
	}
}

// login is a user name and where its password is.
type login struct{ user, passFile string }

// check refuses half a login.
func (l login) check() error {
	switch {
	case l.user == "" && l.passFile == "":
		return nil
	case l.user == "":
		return usagef("--pass-file: needs --user as well")
	case l.passFile == "":
		return usagef("--user: needs --pass-file as well")
	case len(l.user) > maxSecret:
		return usagef("--user: must have at most %d bytes, got %d", maxSecret, len(l.user))
	}
	return nil
}

// users reads the password. It returns nil if there is no login.
func (l login) users(log *slog.Logger) (map[string]string, error) {
	if l.user == "" {
		return nil, nil
	}
	password, err := readPassword(l.passFile, log)
	if err != nil {
		return nil, err
	}
	return map[string]string{l.user: password}, nil
}
