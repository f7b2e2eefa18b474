package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestReadPassword(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		usage            bool
	}{
		{name: "a line", text: "secret\n", want: "secret"},
		{name: "no line end", text: "secret", want: "secret"},
		{name: "windows", text: "secret\r\n", want: "secret"},
		{name: "spaces belong to it", text: " a b \n", want: " a b "},
		{name: "the first line only", text: "secret\nnotes\n", want: "secret"},
		{name: "empty", text: "", usage: true},
		{name: "empty line", text: "\nsecret\n", usage: true},
		{name: "too long", text: strings.Repeat("x", 256), usage: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said bytes.Buffer
			got, err := readPassword(file(t, "pass", c.text), timeless(&said))
			var usage *usageError
			if errors.As(err, &usage) != c.usage || got != c.want {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "xxx") {
				t.Errorf("the error shows the password: %v", err)
			}
			if said.Len() > 0 {
				t.Errorf("warned: %s", said.String())
			}
		})
	}
}

func TestReadableByAll(t *testing.T) {
	name := file(t, "pass", "secret\n")
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if _, err := readPassword(name, timeless(&said)); err != nil {
		t.Fatal(err)
	}
	if want := "level=WARN msg=\"everybody on this machine can read the password file\" file=" + name + " mode=-rw-r--r--\n"; said.String() != want {
		t.Errorf("warned %q, want %q", said.String(), want)
	}
}
