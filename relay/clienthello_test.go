package relay

import (
	"crypto/tls"
	"encoding/binary"
	"net"
	"slices"
	"testing"
)

// realHello is what crypto/tls sends first.
func realHello(t testing.TB, c *tls.Config) []byte {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(near, c).Handshake()
	}()
	b := make([]byte, 1<<14)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	<-done
	near.Close()
	return b[:n]
}

// inRecords cuts a record's content into records of n bytes.
func inRecords(record []byte, n int) []byte {
	var b []byte
	for rest := record[5:]; len(rest) > 0; {
		part := rest[:min(n, len(rest))]
		rest = rest[len(part):]
		b = append(b, record[:3]...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(part)))
		b = append(b, part...)
	}
	return b
}

// withExtension appends an extension to a ClientHello in one record.
func withExtension(record []byte, kind uint16, body []byte) []byte {
	b := append([]byte(nil), record...)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, body...)
	added := 4 + len(body)
	at := 5 + 4 + 34                               // the session's length
	at += 1 + int(b[at])                           // the suites'
	at += 2 + int(binary.BigEndian.Uint16(b[at:])) // the compressions'
	at += 1 + int(b[at])                           // the extensions'
	add := func(i int) {
		binary.BigEndian.PutUint16(b[i:], binary.BigEndian.Uint16(b[i:])+uint16(added))
	}
	add(at)
	add(3)
	add(7) // the lower two of the message's three length bytes
	return b
}

func TestClientHello(t *testing.T) {
	hello := realHello(t, &tls.Config{ServerName: "site.lab"})
	old := realHello(t, &tls.Config{ServerName: "site.lab", MaxVersion: tls.VersionTLS12})
	corrupt := func(i int, v byte) []byte {
		b := append([]byte(nil), hello...)
		b[i] = v
		return b
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"TLS 1.3", hello, true},
		{"TLS 1.2", old, true},
		{"in records of 100 bytes", inRecords(hello, 100), true},
		{"in records of 1 byte", inRecords(hello, 1), true},
		{"an unknown extension", withExtension(hello, 0xfafa, []byte("x")), true},
		{"early data", withExtension(hello, 42, nil), false},
		{"nothing", nil, false},
		{"all but its last byte", hello[:len(hello)-1], false},
		{"one byte more", append(append([]byte(nil), hello...), 0), false},
		{"two of them", append(append([]byte(nil), hello...), hello...), false},
		{"a record more", append(append([]byte(nil), hello...), 20, 3, 3, 0, 1, 1), false},
		{"another record type", corrupt(0, 23), false},
		{"another message", corrupt(5, 2), false},
		{"a shorter message", corrupt(8, hello[8]-1), false},
		{"a longer session", corrupt(43, 33), false},
		{"an empty record", append([]byte{22, 3, 1, 0, 0}, hello...), false},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), false},
	} {
		if got := isClientHello(tc.b); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	for n := range hello {
		if isClientHello(hello[:n]) {
			t.Errorf("the first %d bytes of %d pass for all", n, len(hello))
		}
	}
}

func TestHelloBeginning(t *testing.T) {
	hello := realHello(t, &tls.Config{ServerName: "site.lab"})
	for name, b := range map[string][]byte{
		"in one record":           hello,
		"in records of 100 bytes": inRecords(hello, 100),
		"in records of 3 bytes":   inRecords(hello, 3),
		"with early data":         withExtension(hello, 42, nil),
	} {
		for n := 1; n < len(b); n++ {
			if !isHelloBeginning(b[:n]) {
				t.Errorf("%s: the first %d bytes of %d do not pass", name, n, len(b))
			}
		}
		if isHelloBeginning(b) {
			t.Errorf("%s: all of it passes for a part", name)
		}
	}
	for name, b := range map[string][]byte{
		"another record type":    {23},
		"another version":        {22, 4},
		"an empty record":        {22, 3, 1, 0, 0},
		"a record too long":      {22, 3, 1, 0x40, 1},
		"another message":        {22, 3, 1, 0, 50, 2},
		"an empty message":       {22, 3, 1, 0, 4, 1, 0, 0, 0},
		"more than the message":  {22, 3, 1, 0, 6, 1, 0, 0, 1, 0, 0},
		"an alert in the middle": append(inRecords(hello, 100)[:105], 21, 3, 3, 0, 2, 1, 0),
		"text":                   []byte("GET "),
	} {
		if isHelloBeginning(b) {
			t.Errorf("%s passes", name)
		}
	}
}

func FuzzClientHello(f *testing.F) {
	hello := realHello(f, &tls.Config{ServerName: "site.lab"})
	f.Add(hello)
	f.Add(inRecords(hello, 64))
	f.Add(withExtension(hello, 42, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !isClientHello(b) {
			if len(b) > 0 && isHelloBeginning(b) && !isHelloBeginning(b[:max(1, len(b)-1)]) {
				t.Error("a beginning of it is none")
			}
			return
		}
		if isHelloBeginning(b) || !isHelloBeginning(b[:len(b)-1]) {
			t.Error("complete and a beginning at once, or without one")
		}
		// What is one, is one in any records, and none with a byte more or less.
		message, _ := handshakeMessage(b)
		record := append([]byte{22, 3, 1, 0, 0}, message...)
		for _, n := range []int{1, 7, 1000} {
			if !isClientHello(inRecords(record, n)) {
				t.Errorf("not one in records of %d", n)
			}
		}
		if isClientHello(b[:len(b)-1]) || isClientHello(append(slices.Clip(b), 0)) {
			t.Error("its length does not matter")
		}
	})
}
