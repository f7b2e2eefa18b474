// Package drive is for the tests of the built program: it runs paperplane as
// processes, and puts load on a relay among them. Nothing in it gives up because
// a machine is slow; what has to come is waited for with [Patience].
package drive
