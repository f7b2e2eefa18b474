// Package theory is what is known of disclosure, rotation and blocking without any
// simulation: small models that have a formula. They are for a first estimate, and to
// hold a simulator against, which must agree wherever it is set up to be such a model.
//
// Times and rates may be in any unit, if it is the same in a call. Arguments that make no
// sense (a share above 1, more endpoints blocked than there are) give NaN.
package theory
