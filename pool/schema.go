package pool

import (
	"fmt"
	"net/netip"

	"github.com/hashicorp/go-memdb"
)

// Names of the tables and their indexes.
const (
	tableEndpoints = "endpoints"

	indexID       = "id"
	indexState    = "state"
	indexPrefix   = "prefix"
	indexProvider = "provider"
)

// schema describes the database. Every object read from it is constant.
func schema() *memdb.DBSchema {
	return &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		tableEndpoints: endpointsTable(),
	}}
}

func endpointsTable() *memdb.TableSchema {
	return &memdb.TableSchema{
		Name: tableEndpoints,
		Indexes: map[string]*memdb.IndexSchema{
			indexID:       {Name: indexID, Unique: true, Indexer: &memdb.StringFieldIndex{Field: "Name"}},
			indexState:    {Name: indexState, Indexer: stateIndex{}},
			indexPrefix:   {Name: indexPrefix, AllowMissing: true, Indexer: prefixIndex{}},
			indexProvider: {Name: indexProvider, AllowMissing: true, Indexer: &memdb.StringFieldIndex{Field: "Provider"}},
		},
	}
}

// stateIndex indexes rows by State, one byte.
type stateIndex struct{}

// FromObject implements memdb.SingleIndexer.
func (stateIndex) FromObject(obj any) (bool, []byte, error) {
	r, ok := obj.(*Row)
	if !ok {
		return false, nil, fmt.Errorf("state index: want *Row, got %T", obj)
	}
	return true, []byte(r.State.String() + "\x00"), nil
}

// FromArgs implements memdb.Indexer for one argument that prints as a state.
func (stateIndex) FromArgs(args ...any) ([]byte, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("state index: want 1 argument, got %d", len(args))
	}
	return []byte(fmt.Sprint(args[0]) + "\x00"), nil
}

// prefixIndex indexes rows by Prefix: address bytes, then the length.
type prefixIndex struct{}

// FromObject implements memdb.SingleIndexer.
func (prefixIndex) FromObject(obj any) (bool, []byte, error) {
	r, ok := obj.(*Row)
	if !ok {
		return false, nil, fmt.Errorf("prefix index: want *Row, got %T", obj)
	}
	return r.Prefix.IsValid(), prefixKey(r.Prefix), nil
}

// FromArgs implements memdb.Indexer for one netip.Prefix.
func (prefixIndex) FromArgs(args ...any) ([]byte, error) {
	if len(args) == 1 {
		if p, ok := args[0].(netip.Prefix); ok {
			return prefixKey(p), nil
		}
	}
	return nil, fmt.Errorf("prefix index: want one netip.Prefix, got %v", args)
}

func prefixKey(p netip.Prefix) []byte {
	a := p.Addr().As16()
	return append(a[:], byte(p.Bits()), 0)
}
