package guest

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func query(t testing.TB, h dnsmessage.Header, questions ...dnsmessage.Question) []byte {
	t.Helper()
	packed, err := (&dnsmessage.Message{Header: h, Questions: questions}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// FuzzAnswer: whatever is asked, what comes back is a reply to it or nothing.
func FuzzAnswer(f *testing.F) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("site.lab."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	six, root := q, q
	six.Type, root.Name = dnsmessage.TypeAAAA, dnsmessage.MustNewName(".")
	f.Add(query(f, dnsmessage.Header{ID: 1, RecursionDesired: true}, q))
	f.Add(query(f, dnsmessage.Header{ID: 2}, six))
	f.Add(query(f, dnsmessage.Header{ID: 3}, q, six))
	f.Add(query(f, dnsmessage.Header{ID: 4, OpCode: 4}, root))
	f.Add(query(f, dnsmessage.Header{ID: 5, Response: true}, q))
	f.Add([]byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, asked []byte) {
		looked := 0
		packed := answer(asked, func(string) (netip.Addr, error) {
			looked++
			return netip.MustParseAddr("149.154.160.1"), nil
		})
		if packed == nil {
			if looked > 0 {
				t.Error("it looked, and does not answer")
			}
			return
		}
		var reply dnsmessage.Message
		if err := reply.Unpack(packed); err != nil {
			t.Fatalf("no message: %v", err)
		}
		if !reply.Response || reply.ID != uint16(asked[0])<<8|uint16(asked[1]) || len(reply.Answers) > looked || looked > 1 {
			t.Errorf("%d looks, and the reply is %+v", looked, reply)
		}
	})
}
