// Package worldtest is for tests that are to hold in every world, in memory and
// on a kernel alike.
//
//	func TestMain(m *testing.M) { os.Exit(worldtest.M{M: m}.Run()) }
//
//	func TestBlockedEndpoint(t *testing.T) {
//		worldtest.Run(t, func(t *testing.T) {
//			world := testenv.New(testenv.Config{})
//			...
//		})
//	}
//
// The environment variable [testenv.Variable] says which world it is. In memory
// a test runs in a bubble of package synctest, where time is virtual; on a kernel
// it runs in real time. So it may sleep and measure in either, but what it
// expects of durations, it expects with a [Tolerance]. What a kernel world cannot
// show is a [Lack]: a test that [Needs] it is skipped there, for that reason.
//
// Nothing but tests imports it.
package worldtest
