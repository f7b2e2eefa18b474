//go:build !race

package failure_test

const raceDetector = false
