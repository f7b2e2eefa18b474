package scenario

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// decoder fills a Scenario from a YAML tree. It goes on after an error, and
// remembers where each value stood, so that what is found wrong later can be
// shown there.
type decoder struct {
	report
	begins  time.Time
	anchors map[string]ast.Node
	// values counts what was decoded: aliases in aliases could be endless.
	values int
}

const (
	maxValues = 1 << 20
	maxDepth  = 32
)

// decode fills in what a document holds, and reports whether it has the form of
// a scenario.
func (d *decoder) decode(body ast.Node, s *Scenario) bool {
	m, ok := d.resolve(body).(*ast.MappingNode)
	if !ok {
		where := place{1, 1}
		if body != nil {
			where = placeOf(body)
		}
		d.at("", where, "is no scenario: that has keys, at least title, begins, lasts, clouds and isps")
		return false
	}
	d.begin(m)
	d.value("", body, reflect.ValueOf(s).Elem(), nil, 0)
	return true
}

// begin reads the beginning before everything else, since dates hang on it.
func (d *decoder) begin(m *ast.MappingNode) {
	for _, pair := range m.Values {
		if pair.Key.String() == "begins" {
			if word, ok := scalar(d.resolve(pair.Value)); ok {
				// If it is wrong, it is found so again, and told, later.
				d.begins, _ = parseDate(word, time.Time{})
			}
		}
	}
}

// resolve is what stands behind anchors and aliases.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		switch v := n.(type) {
		case *ast.AnchorNode:
			if d.anchors == nil {
				d.anchors = make(map[string]ast.Node)
			}
			d.anchors[v.Name.String()] = v.Value
			n = v.Value
		case *ast.AliasNode:
			target, ok := d.anchors[v.Value.String()]
			if !ok {
				return n
			}
			n = target
		default:
			return n
		}
	}
	return n
}

// scalar is a single word or number as it is written.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return strings.TrimSpace(v.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// value decodes a node into v. The options are those of the field's tag.
func (d *decoder) value(path string, n ast.Node, v reflect.Value, options []string, depth int) {
	if d.values++; d.values > maxValues || depth > maxDepth {
		if d.values == maxValues+1 || depth > maxDepth {
			d.at(path, placeOf(n), "is too much: aliases within aliases, perhaps")
		}
		return
	}
	n = d.resolve(n)
	where := placeOf(n)
	d.places[path] = where
	switch alias, aliased := n.(*ast.AliasNode); {
	case aliased:
		d.at(path, where, "no &%s comes before this", alias.Value.String())
		return
	case n == nil || n.Type() == ast.NullType:
		d.at(path, where, "has no value: give it one, or leave it out")
		return
	case n.Type() == ast.TagType:
		d.at(path, where, "tags like %s have no meaning here", n.GetToken().Value)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if d.word(path, n, v, options, where) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(path, n, v, depth)
	case reflect.Slice:
		d.sequence(path, n, v, depth)
	default:
		panic("scenario: no way to decode a " + v.Type().String())
	}
}

// word decodes what is written as one word, and reports whether v is such.
func (d *decoder) word(path string, n ast.Node, v reflect.Value, options []string, where place) bool {
	parse := parser(v, options, d.begins)
	if parse == nil {
		return false
	}
	word, ok := scalar(n)
	if !ok && v.Type() == reflect.TypeFor[blocker.Action]() {
		word, ok = d.spelled(n)
	}
	if !ok {
		d.at(path, where, "must be a single value, not a %s", kindOf(n))
		return true
	}
	if err := parse(word); err != nil {
		if text := err.Error(); strings.Contains(text, ", got ") {
			d.at(path, where, "%s", text)
		} else {
			d.at(path, where, "%s, got %q", text, word)
		}
	}
	return true
}

// spelled is an action that is written as a mapping in the form that ParseAction
// takes.
func (d *decoder) spelled(n ast.Node) (string, bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok || len(m.Values) == 0 {
		return "", false
	}
	var parts []string
	for _, pair := range m.Values {
		word, ok := scalar(d.resolve(pair.Value))
		if !ok || strings.ContainsAny(word, ",:") {
			return "", false
		}
		parts = append(parts, pair.Key.String()+":"+word)
	}
	return strings.Join(parts, ","), true
}

// mapping decodes the fields of a struct.
func (d *decoder) mapping(path string, n ast.Node, v reflect.Value, depth int) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.at(path, placeOf(n), "must have keys of its own: %s", list(keysOf(v.Type())))
		return
	}
	seen := make(map[string]place)
	for _, pair := range m.Values {
		key, ok := scalar(pair.Key)
		where := placeOf(pair.Key)
		if !ok {
			d.at(path, where, "%s is no key here", pair.Key.GetToken().Value)
			continue
		}
		if first, twice := seen[key]; twice {
			d.at(path, where, "%q is here twice: the first is in line %d", key, first.line)
			continue
		}
		seen[key] = where
		field, options := fieldOf(v, key)
		if !field.IsValid() {
			d.at(path, where, "%s", unknownKey(key, keysOf(v.Type())))
			continue
		}
		d.value(join(path, key), pair.Value, field, options, depth+1)
	}
	for i := range v.NumField() {
		key, options := tagOf(v.Type().Field(i))
		if _, there := seen[key]; !there && slices.Contains(options, "required") {
			d.at(path, d.places[path], "needs %q", key)
		}
	}
}

// sequence decodes a list.
func (d *decoder) sequence(path string, n ast.Node, v reflect.Value, depth int) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		advice := "must be a list"
		if word, ok := scalar(n); ok {
			advice += fmt.Sprintf(": write [%s]", word)
		} else {
			advice += ": put a dash before each"
		}
		d.at(path, placeOf(n), "%s", advice)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
	for i, item := range s.Values {
		d.value(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i), nil, depth+1)
	}
}

// parser is how a value of v's type is read from a word, or nil if it is no word.
func parser(v reflect.Value, options []string, begins time.Time) func(string) error {
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		return set(to, func(s string) (time.Time, error) { return parseDate(s, begins) })
	case *time.Duration:
		return set(to, ParseDuration)
	case *netip.Prefix:
		return set(to, parsePrefix)
	case *blocker.Action:
		return set(to, ParseAction)
	case *blocker.Direction:
		return set(to, parseDirection)
	case *blocker.Look:
		return set(to, parseLook)
	case *Hours:
		return set(to, parseHours)
	case *string:
		return set(to, parseText)
	case *int64:
		if slices.Contains(options, "bytes") {
			return set(to, ParseSize)
		}
	case *float64:
		switch {
		case slices.Contains(options, "share"):
			return set(to, parseShare)
		case slices.Contains(options, "rate"):
			return set(to, parseOften)
		}
		return set(to, parseNumber)
	}
	switch {
	case v.CanInt():
		return func(s string) error { return parseWhole(s, v.Type().Bits(), func(n uint64) { v.SetInt(int64(n)) }) }
	case v.CanUint():
		return func(s string) error { return parseWhole(s, v.Type().Bits(), v.SetUint) }
	}
	return nil
}

func set[T any](to *T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		if err == nil {
			*to = v
		}
		return err
	}
}

// parsePrefix reads a prefix. One that is wider than it looks is a mistake.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if a, e := netip.ParseAddr(s); e == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		return p, fmt.Errorf("must be a prefix like 52.58.0.0/15")
	case p.Addr().Is4In6():
		return p, fmt.Errorf("must be written as IPv4")
	case p != p.Masked():
		return p, fmt.Errorf("must have no bits beyond its length, got %s: write %s or %s/%d",
			s, p.Masked(), p.Addr(), p.Addr().BitLen())
	}
	return p, nil
}

func parseText(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return s, fmt.Errorf("must not be empty")
	}
	return s, nil
}

func parseNumber(s string) (float64, error) {
	n, err := decimal(strings.ReplaceAll(s, "_", ""))
	if err != nil || n > 1e15 {
		return 0, fmt.Errorf("must be a number, not negative")
	}
	return n, nil
}

func parseWhole(s string, bits int, set func(uint64)) error {
	n, err := strconv.ParseUint(strings.ReplaceAll(s, "_", ""), 10, min(bits, 63))
	if err != nil {
		return fmt.Errorf("must be a whole number, not negative")
	}
	set(n)
	return nil
}
