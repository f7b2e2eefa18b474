// Package failure holds the tests of the relay's failure table: what becomes of
// its clients' requests and streams when endpoints are dropped, reset, frozen,
// stopped, one or many at a time, and when its own network is down. They run in
// worlds of either backend: see package worldtest.
package failure
