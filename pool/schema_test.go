package pool

import (
	"net/netip"
	"testing"

	"github.com/hashicorp/go-memdb"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

func row(name, prefix, provider string, s policy.State) *Row {
	r := &Row{Name: name, Provider: provider, State: s}
	if prefix != "" {
		r.Prefix = netip.MustParsePrefix(prefix)
	}
	return r
}

func database(t *testing.T, rows ...*Row) *memdb.MemDB {
	t.Helper()
	db, err := memdb.NewMemDB(schema())
	if err != nil {
		t.Fatal(err)
	}
	txn := db.Txn(true)
	for _, r := range rows {
		if err := txn.Insert(tableEndpoints, r); err != nil {
			t.Fatal(err)
		}
	}
	txn.Commit()
	return db
}

func names(t *testing.T, db *memdb.MemDB, index string, args ...any) []string {
	t.Helper()
	it, err := db.Txn(false).Get(tableEndpoints, index, args...)
	if err != nil {
		t.Fatalf("%s %v: %v", index, args, err)
	}
	var ns []string
	for o := it.Next(); o != nil; o = it.Next() {
		ns = append(ns, o.(*Row).Name)
	}
	return ns
}

func TestSchema(t *testing.T) {
	s := schema()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string][]string{
		tableEndpoints: {indexID, indexState, indexPrefix, indexProvider},
	} {
		if len(s.Tables[table].Indexes) != len(want) {
			t.Errorf("%s: want %d indexes, got %d", table, len(want), len(s.Tables[table].Indexes))
		}
		for _, i := range want {
			if s.Tables[table].Indexes[i] == nil {
				t.Errorf("%s: no index %s", table, i)
			}
		}
	}
	if i := s.Tables[tableEndpoints].Indexes[indexID]; !i.Unique || i.AllowMissing {
		t.Error("the key must be unique, and there")
	}
}

func TestIndexes(t *testing.T) {
	db := database(t,
		row("a:1", "52.58.0.0/16", "aws", policy.Active),
		row("b:1", "52.58.0.0/16", "aws", policy.Reserve),
		row("c:1", "52.58.0.0/15", "gcp", policy.Active),
		row("d:1", "", "", policy.Dead),
		row("e:1", "2a05:d014::/32", "awesome", policy.Suspect),
	)
	tests := []struct {
		index string
		arg   any
		want  int
		first string
	}{
		{indexID, "a:1", 1, "a:1"},
		{indexState, policy.Active, 2, "a:1"},
		{indexState, policy.Reserve, 1, "b:1"},
		{indexState, policy.Retired, 0, ""},
		{indexPrefix, netip.MustParsePrefix("52.58.0.0/16"), 2, "a:1"},
		{indexPrefix, netip.MustParsePrefix("52.58.0.0/15"), 1, "c:1"},
		{indexPrefix, netip.MustParsePrefix("2a05:d014::/32"), 1, "e:1"},
		{indexProvider, "aws", 2, "a:1"}, // not awesome
		{indexProvider, "gcp", 1, "c:1"},
	}
	for _, tt := range tests {
		got := names(t, db, tt.index, tt.arg)
		if len(got) != tt.want || len(got) > 0 && got[0] != tt.first {
			t.Errorf("%s %v: want %d from %q on, got %q", tt.index, tt.arg, tt.want, tt.first, got)
		}
	}
	if got := names(t, db, indexID); len(got) != 5 {
		t.Errorf("want all 5, got %q", got)
	}
	for _, bad := range []struct {
		index string
		args  []any
	}{
		{indexPrefix, []any{"52.58.0.0/16"}}, {indexPrefix, []any{}}, {indexState, []any{policy.Active, policy.Dead}},
	} {
		if _, err := db.Txn(false).First(tableEndpoints, bad.index, bad.args...); err == nil && len(bad.args) > 0 {
			t.Errorf("%s %v: want an error", bad.index, bad.args)
		}
	}
}

// A row of the same name replaces the old one in every index.
func TestKeyIsUnique(t *testing.T) {
	db := database(t, row("a:1", "52.58.0.0/16", "aws", policy.Active))
	txn := db.Txn(true)
	if err := txn.Insert(tableEndpoints, row("a:1", "34.90.0.0/16", "gcp", policy.Dead)); err != nil {
		t.Fatal(err)
	}
	txn.Commit()
	if got := names(t, db, indexID); len(got) != 1 {
		t.Errorf("want one row, got %q", got)
	}
	if got := names(t, db, indexState, policy.Active); len(got) != 0 {
		t.Errorf("the old state is indexed still: %q", got)
	}
	if got := names(t, db, indexProvider, "aws"); len(got) != 0 {
		t.Errorf("the old provider is indexed still: %q", got)
	}
}

// A failed Insert leaves half an index behind, so a pool aborts the transaction:
// nothing of it may be seen.
func TestFailedInsertIsAborted(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(policy.Spec{Host: "192.0.2.1", Port: 1080}); err != nil {
		t.Fatal(err)
	}
	// An empty name cannot be indexed.
	p.endpoints[0].name = ""
	if err := p.write([]int{0}); err == nil {
		t.Fatal("a row without a key was stored")
	}
	if got := names(t, p.db, indexID); len(got) != 1 || got[0] != "192.0.2.1:1080" {
		t.Errorf("want the row as it was, got %q", got)
	}
	if got := names(t, p.db, indexState, policy.Reserve); len(got) != 1 {
		t.Errorf("want one row in reserve, got %q", got)
	}
}
