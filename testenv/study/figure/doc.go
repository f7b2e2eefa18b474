// Package figure draws what came of a study, as for a paper: little ink besides the
// data, labels where they are needed, colours that can be told apart by anybody and in
// print.
package figure
