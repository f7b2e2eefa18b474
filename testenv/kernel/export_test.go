//go:build linux

package kernel

// SetTrains lets links that are made from now on carry trains of segments.
func SetTrains(on bool) { trains = on }
