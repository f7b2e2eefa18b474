package exit

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

var (
	errNoDestination = errors.New("no host or no port in the request")
	errLeft          = errors.New("the client has left")
)

// dial is go-socks5's hook: it is called with the request's destination, which
// is a name as the client wrote it, or an address.
func (t *stream) dial(_ context.Context, network, address string) (net.Conn, error) {
	if !t.begin() {
		return nil, errCut
	}
	_ = t.client.SetDeadline(time.Time{})
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "0" {
		// An empty host would be dialled as our own loopback.
		t.reply = upstream.NotAllowed
		return nil, errNoDestination
	}
	if port == "80" && strings.EqualFold(strings.TrimSuffix(host, "."), probe.ReservedHost) {
		t.probed = true
		return back{}, nil
	}
	target, err := t.reach(network, address)
	if err == nil {
		err = t.attach(target)
	}
	if err != nil {
		t.reply = replyFor(err)
		t.server.log().Debug("dial failed", "client", t.client.RemoteAddr(), "destination", address, "err", err)
		return nil, err
	}
	upstream.Tune(target)
	_ = upstream.KeepAlive(target, keepAlive, keepAlive)
	t.server.log().Debug("stream", "client", t.client.RemoteAddr(), "destination", address)
	return back{target}, nil
}

// reach dials, and gives up when the client leaves.
func (t *stream) reach(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeout(ctx, timeout(t.server.DialTimeout, DefaultDialTimeout))
	defer stop()

	watched := make(chan struct{})
	go func() {
		defer close(watched)
		t.watch(cancel)
	}()
	dial := t.server.Dial
	if dial == nil {
		dial = t.server.guard.DialContext
	}
	target, err := dial(ctx, network, address)
	_ = t.client.SetReadDeadline(time.Unix(1, 0))
	<-watched
	_ = t.client.SetReadDeadline(time.Time{})
	if left := context.Cause(ctx); errors.Is(left, errLeft) {
		if err == nil {
			_ = target.Close()
		}
		return nil, left
	}
	return target, err
}

// watch reads on while the dial goes on, since that is how one learns that a
// client has left. What it reads is early data and kept. A client that has
// sent data and then closed its half is one that waits for the answer.
func (t *stream) watch(leave context.CancelCauseFunc) {
	in := &t.in
	in.w = copy(in.buf[:], in.rest())
	in.r = 0
	for in.w < len(in.buf) {
		n, err := t.client.Read(in.buf[in.w:])
		in.w += n
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case errors.Is(err, io.EOF) && in.w > 0:
			in.eof = true
			return
		default:
			leave(errLeft)
			return
		}
	}
}

// replyFor is the reply code for a failed dial.
func replyFor(err error) upstream.Reply {
	var reply upstream.Reply
	var dns *net.DNSError
	switch {
	case errors.As(err, &reply) && reply != upstream.Succeeded:
		return reply
	case errors.Is(err, ErrGuarded):
		return upstream.NotAllowed
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return upstream.HostUnreachable
		}
		return upstream.GeneralFailure
	case errors.Is(err, syscall.ENETUNREACH):
		return upstream.NetworkUnreachable
	}
	switch upstream.Classify(err) {
	case policy.Reset:
		return upstream.ConnectionRefused
	case policy.Rejected:
		return upstream.HostUnreachable
	case policy.Silent:
		// As Tor has it: no code of RFC 1928 says "timed out".
		return upstream.TTLExpired
	default:
		return upstream.GeneralFailure
	}
}
