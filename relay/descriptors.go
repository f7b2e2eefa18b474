package relay

const (
	// perClient is a client's connection and the one to its endpoint.
	perClient = 2
	// inHand is kept free for what is no stream: listeners, examinations,
	// attempts beside the first, warm connections, pipes, files.
	inHand = 200 + 64
	// mostByDefault bounds MostClients where descriptors are plenty: so many
	// streams at rest take half a gigabyte.
	mostByDefault = 1 << 16
)

// MostClients is how many clients the open files that this process may have
// (ulimit -n) are enough for, with some kept in hand, at most 65,536; 8192 where
// there is no such limit.
func MostClients() int {
	files, ok := fileLimit()
	if !ok {
		return 8192
	}
	if files > perClient*mostByDefault+inHand+politeRefusals {
		return mostByDefault
	}
	return max(1, (int(files)-inHand-politeRefusals)/perClient)
}
