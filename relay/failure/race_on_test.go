//go:build race

package failure_test

// raceDetector is true where everything takes seven times as long, so that what
// differs from others in numbers only is left to the tests without it.
const raceDetector = true
