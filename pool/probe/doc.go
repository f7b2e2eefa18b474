// Package probe examines endpoints: whether they answer, and whether they
// carry enough data to show a path that freezes flows after some kilobytes.
package probe
