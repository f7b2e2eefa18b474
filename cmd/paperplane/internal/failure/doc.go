// Package failure holds the tests of the built program in worlds on a kernel:
// paperplane relay as a process in an ISP's network, paperplane exit as processes
// on the machines of clouds, and a blocker between them. What is wanted of them
// is what package relay/failure wants of the relay inside a test.
package failure
