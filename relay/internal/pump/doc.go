// Package pump moves the bytes of one direction of a stream, as cheaply as the
// system can.
//
// On Linux and between two TCP connections it waits without holding anything.
// When bytes come, the first of them are read into a pooled buffer; as soon as
// a buffer is filled, the following ones go by splice(2) through a pipe, from
// socket to socket, and never enter this process. The pipe is given back when
// the source has run dry. So a stream at rest costs two descriptors and no
// buffer, a small answer costs one read and one write, and only what is big
// pays for a pipe.
//
// The net package's own splice keeps a pipe for each direction that waits, and
// asks for 1 MiB: the 65th of a user without privileges is then one of 4 or 8
// KiB, and everything that goes through it is slow (pipe(7),
// pipe-user-pages-soft). Here all streams share at most 32 pipes, and
// those who find none copy.
package pump
