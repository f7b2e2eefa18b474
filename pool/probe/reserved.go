package probe

// ReservedHost and ReservedPort are the destination that an endpoint of our
// own (relay/exit) answers by itself, without dialling anything. The name is
// one that no resolver can know (RFC 6761 section 6.4), so with other people's
// endpoints asking for it does no harm and fails.
//
// There it speaks HTTP/1.1 in clear: GET /N answers N bytes that do not
// compress, N at most ReservedLimit; POST answers how many bytes of body came.
const (
	ReservedHost  = "probe.paperplane.invalid"
	ReservedPort  = 80
	ReservedLimit = 4 << 20
)
