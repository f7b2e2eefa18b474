package blocker_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

const socksPlain = "\x05\x01\x00" + "\x05\x01\x00\x03\x0ctelegram.lab\x01\xbb"

func TestNames(t *testing.T) {
	clientHello := string(hello(t, "Web.Telegram.lab").Payload)
	for _, test := range []struct {
		name, head string
		want       []string
		more       bool
	}{
		{"nothing", "", nil, true},
		{"something else", "\x00\x01\x02", nil, false},
		{"tls", clientHello, []string{"web.telegram.lab"}, false},
		{"half a hello", clientHello[:100], nil, true},
		{"http", "GET / HTTP/1.1\r\nUser-Agent: x\r\nhost:  telegram.lab:8080\r\n\r\n", []string{"telegram.lab"}, false},
		{"http not done", "GET / HTTP/1.1\r\nUser-Agent: x\r\n", nil, true},
		{"http cut in a line's end", "GET / HTTP/1.1\r", nil, true},
		{"http by address", "GET / HTTP/1.1\r\nHost: 52.58.4.7\r\n\r\n", nil, false},
		{"http without host", "GET / HTTP/1.1\r\n\r\n", nil, false},
		{"half a greeting", "\x05\x02\x00", nil, true},
		{"socks", socksPlain, []string{"telegram.lab"}, true},
		{"socks with password", "\x05\x01\x02\x01\x01u\x01p\x05\x01\x00\x03\x0ctelegram.lab\x01\xbb", []string{"telegram.lab"}, true},
		{"socks by address", "\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb", nil, true},
		{"tls within socks", socksPlain + clientHello, []string{"telegram.lab", "web.telegram.lab"}, false},
		{"http within socks", socksPlain + "HEAD /x HTTP/1.0\r\nHost: a.b\r\n\r\n", []string{"telegram.lab", "a.b"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, more := blocker.Names([]byte(test.head))
			if !slices.Equal(got, test.want) || more != test.more {
				t.Errorf("%q, more %v; want %q, more %v", got, more, test.want, test.more)
			}
		})
	}
}

// However a stream is cut into packets, and whatever is sent twice, the flow
// shows the same names.
func TestNamesInPieces(t *testing.T) {
	stream := append([]byte(socksPlain), hello(t, "web.telegram.lab").Payload...)
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{When: blocker.When{Names: []string{"web.telegram.lab"}}})
	for _, size := range []int{1, 2, 7, 100, 5000} {
		f := blocker.Flow{Client: client, Server: endpoint}
		var last blocker.Act
		for at := 0; at < len(stream); at += size {
			part := stream[at:min(at+size, len(stream))]
			p := blocker.Packet{Dir: blocker.Up, Kind: blocker.Data, Size: len(part), Offset: int64(at), Payload: part}
			last = f.Decide(rules, nil, p, epoch).Act
			if again := f.Decide(rules, nil, p, epoch).Act; again != last {
				t.Fatalf("size %d at %d: %v when sent again", size, at, again)
			}
		}
		if last != blocker.Discard {
			t.Errorf("pieces of %d: the name was not seen", size)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add([]byte(socksPlain))
	f.Add(append([]byte(socksPlain), hello(f, "telegram.lab").Payload...))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: telegram.lab\r\n\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		whole := bytes.Clone(head)
		names, more := blocker.Names(head)
		if !bytes.Equal(head, whole) {
			t.Fatal("the input was changed")
		}
		if !more {
			// What is decided stays decided, whatever comes after.
			longer, _ := blocker.Names(append(slices.Clip(head), "\r\nHost: other\r\n\r\n"...))
			if !slices.Equal(names, longer) {
				t.Fatalf("%q, then %q", names, longer)
			}
		}
	})
}
