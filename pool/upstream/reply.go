package upstream

import "strconv"

// Reply is an endpoint's answer to CONNECT, and an error unless it is zero, so
// that errors.Is(err, upstream.ConnectionRefused) works. The codes are those of
// RFC 1928, section 6.
type Reply uint8

// The replies.
const (
	// Succeeded is no error.
	Succeeded Reply = iota
	// GeneralFailure is any failure without a code of its own.
	GeneralFailure
	// NotAllowed means that the endpoint's rules forbid the destination.
	NotAllowed
	// NetworkUnreachable and HostUnreachable are as the endpoint's kernel, or
	// its resolver, said.
	NetworkUnreachable
	HostUnreachable
	// ConnectionRefused is the destination's own RST.
	ConnectionRefused
	// TTLExpired is used for destinations that do not answer.
	TTLExpired
	// CommandNotSupported is the answer to BIND and UDP ASSOCIATE.
	CommandNotSupported
	// AddressNotSupported means an unknown type of address.
	AddressNotSupported
)

var replyTexts = [...]string{
	"succeeded", "general failure", "not allowed", "network unreachable", "host unreachable",
	"connection refused", "TTL expired", "command not supported", "address type not supported",
}

// Error is the meaning and the code: "connection refused (reply 5)".
func (r Reply) Error() string {
	text := "unknown"
	if int(r) < len(replyTexts) {
		text = replyTexts[r]
	}
	return text + " (reply " + strconv.Itoa(int(r)) + ")"
}
