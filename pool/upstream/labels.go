package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// maxLabel bounds a label's value, in bytes, so that it fits a table's column.
const maxLabel = 64

// maxWeight is the largest weight: see policy.Spec.
const maxWeight = 1000

// labelNames are the known labels, in the order in which they are written.
var labelNames = [...]string{"provider", "region", "owner", "weight"}

func isLabel(key string) bool {
	for _, name := range labelNames {
		if key == name {
			return true
		}
	}
	return false
}

// isSplit is true if the fields after a URL's first space may belong to the
// URL: some are no labels, and there is an '@' in one of them. Then they may
// hold the rest of a password.
func isSplit(fields []string) bool {
	foreign := false
	for _, field := range fields {
		key, _, found := strings.Cut(field, "=")
		foreign = foreign || !found || !isLabel(key)
	}
	return foreign && strings.Contains(strings.Join(fields, " "), "@")
}

// parseLabels reads key=value fields into the spec. Values are percent-encoded
// where they hold a space or a percent sign.
func parseLabels(s *policy.Spec, fields []string) error {
	seen := make(map[string]bool, len(fields))
	for _, field := range fields {
		key, value, found := strings.Cut(field, "=")
		switch {
		case !found:
			return errors.New("expected labels of the form key=value after the URL: " + knownLabels())
		case !isLabel(key):
			return fmt.Errorf("unknown label %q: %s", clip(key), knownLabels())
		}
		if seen[key] {
			return fmt.Errorf("label %q is given twice", key)
		}
		seen[key] = true
		if err := setLabel(s, key, value); err != nil {
			return err
		}
	}
	return nil
}

func setLabel(s *policy.Spec, key, value string) error {
	if key == "weight" {
		if strings.Trim(value, "0123456789") != "" {
			return fmt.Errorf("weight is not a number: 1 to %d", maxWeight)
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxWeight {
			return fmt.Errorf("weight is not between 1 and %d", maxWeight)
		}
		s.Weight = n
		return nil
	}
	text, err := url.PathUnescape(value)
	switch {
	case err != nil:
		return fmt.Errorf("malformed %%-escape in label %q", key)
	case text == "":
		return fmt.Errorf("label %q is empty", key)
	case len(text) > maxLabel:
		return fmt.Errorf("label %q is longer than %d bytes", key, maxLabel)
	case !printable(text):
		return fmt.Errorf("label %q holds characters that cannot be printed", key)
	}
	switch key {
	case "provider":
		s.Provider = text
	case "region":
		s.Region = text
	case "owner":
		s.Owner = text
	}
	return nil
}

func formatLabels(b *strings.Builder, s policy.Spec) {
	for _, l := range [...]struct{ key, value string }{
		{"provider", s.Provider}, {"region", s.Region}, {"owner", s.Owner},
	} {
		if l.value != "" {
			b.WriteString(" " + l.key + "=" + escape(l.value))
		}
	}
	if s.Weight != 0 {
		b.WriteString(" weight=" + strconv.Itoa(s.Weight))
	}
}

func knownLabels() string { return "the known ones are " + strings.Join(labelNames[:], ", ") }

// printable keeps terminal escapes and line breaks out of tables and logs.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
