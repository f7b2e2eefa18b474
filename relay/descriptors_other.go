//go:build !unix

package relay

func fileLimit() (uint64, bool) { return 0, false }
