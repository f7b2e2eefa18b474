//go:build !race

package verdicts_test

const raceDetector = false
