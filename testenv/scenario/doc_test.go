package scenario_test

import (
	"os"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// The file in the package's documentation is one that can be read.
func TestDocumentedFile(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for line := range strings.Lines(string(doc)) {
		switch text, indented := strings.CutPrefix(line, "//\t"); {
		case indented:
			file.WriteString(text)
		case strings.TrimSpace(line) == "//":
			file.WriteString("\n")
		}
	}
	s, err := scenario.Parse("doc.yaml", []byte(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	if s.Title != "An hour of it" || s.Strategy.Escalation == nil || len(s.Events) != 5 || s.Agents.Mimic != .8 {
		t.Errorf("%+v", s)
	}
}
