// Package stat has the few statistics that a study needs: the mean of its seeds with
// an interval, and lifetimes of which some have not ended.
package stat
