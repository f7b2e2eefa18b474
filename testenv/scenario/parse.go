package scenario

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

//go:embed *.yaml
var builtin embed.FS

// maxFile is the most that a scenario file may hold, in bytes.
const maxFile = 16 << 20

// Parse reads a scenario. The name is for errors, and the scenario's own is its
// last part, without an ending. Everything that is wrong is reported at once, as
// [Errors], each with its place. An unknown key is wrong as well.
func Parse(name string, data []byte) (*Scenario, error) {
	s := &Scenario{Name: strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".yaml"), ".yml")}
	d := decoder{report: report{file: name, places: make(map[string]place)}}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(data) > maxFile || !utf8.Valid(data) {
		d.at("", place{1, 1}, "must be text in UTF-8, of at most 16 MiB")
		return nil, d.errs
	}
	// YAML ends lines in three ways (YAML 1.2, section 5.4).
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	d.lines = strings.Split(string(data), "\n")
	// What occurs twice is reported with everything else.
	file, err := yamlparser.ParseBytes(data, 0, yamlparser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil, d.errs
	}
	if n := len(file.Docs); n > 1 {
		d.at("", placeOf(file.Docs[n-1].Body), "must be a single document: leave out the line with ---")
		return nil, d.errs
	}
	var body ast.Node
	if len(file.Docs) > 0 {
		body = file.Docs[0].Body
	}
	c := checker{s: s}
	whole := d.decode(body, s)
	if c.report = d.report; whole {
		c.all()
	}
	if err := c.errs.sorted(); err != nil {
		return nil, err
	}
	return s, nil
}

// syntax reports what is no YAML.
func (d *decoder) syntax(err error) {
	where, message := place{1, 1}, err.Error()
	if at, ok := errors.AsType[yaml.Error](err); ok {
		message = at.GetMessage()
		if t := at.GetToken(); t != nil && t.Position != nil {
			where = place{t.Position.Line, t.Position.Column}
		}
	}
	d.at("", where, "not YAML: %s", message)
}

// Load reads a scenario from a file system.
func Load(fsys fs.FS, name string) (*Scenario, error) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return Parse(name, data)
}

// ErrUnknown is returned for a name that no built-in scenario has.
var ErrUnknown = errors.New("no such scenario")

// Builtin is one of the scenarios that come with the program.
func Builtin(name string) (*Scenario, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, unknown("scenario", name, Names()))
	}
	return Load(builtin, name+".yaml")
}

// Names are those of the built-in scenarios, in alphabetical order.
func Names() (names []string) {
	files, err := builtin.ReadDir(".")
	if err != nil {
		panic(err) // it is part of the program
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return names
}

// Source is the text of a built-in scenario, for those who want to write one
// like it.
func Source(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, unknown("scenario", name, Names()))
	}
	return builtin.ReadFile(name + ".yaml")
}
