package upstream_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// FuzzAnswer lets an endpoint answer anything.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00rest"), false)
	f.Add([]byte("\x05\x02\x01\x00\x05\x00\x00\x03\x01x\x00\x00"), true)
	f.Add([]byte("\x05\xff"), true)
	f.Fuzz(func(t *testing.T, answer []byte, user bool) {
		spec := anonymous
		if user {
			spec.User, spec.Password = "me", secret
		}
		here, there := net.Pipe()
		done := make(chan struct{})
		go func() { _, _ = io.Copy(io.Discard, there); close(done) }()
		go func() {
			_, _ = there.Write(answer)
			there.Close()
		}()
		s, err := (&upstream.Dialer{}).Negotiate(t.Context(), here, spec)
		if err == nil {
			var c net.Conn
			if c, err = s.Request(t.Context(), "example.com:443"); err == nil {
				rest, _ := io.ReadAll(c)
				if !bytes.HasSuffix(answer, rest) {
					t.Errorf("the stream has %x of %x", rest, answer)
				}
				c.Close()
			}
		}
		if err != nil {
			if o := upstream.Classify(err); o == policy.Local || o == policy.None || o == policy.Answered {
				t.Errorf("%x: %v is %v", answer, err, o)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%x: %v", answer, err)
			}
		}
		<-done
	})
}
