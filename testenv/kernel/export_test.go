//go:build linux

package kernel

import "github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"

// SetTrains lets links that are made from now on carry trains of segments.
func SetTrains(on bool) { trains = on }

// FailCommit lets the nth transaction from now on fail, and reports whether it has
// come to that.
func (v *Vantage) FailCommit(n int, err error) (failed func() bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.commit = func(b *nft.Batch) error {
		if n--; n == 0 {
			return err
		}
		return v.conn.Commit(b)
	}
	return func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.commit = v.conn.Commit
		return n <= 0
	}
}
