//go:build race

package verdicts_test

// raceDetector tells that everything takes ten times as long.
const raceDetector = true
