package policy_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

func TestConclude(t *testing.T) {
	base := time.Date(2018, 4, 16, 17, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		x    policy.Examination
		want policy.Verdict
		says string
	}{
		{"nothing", policy.Examination{}, policy.Unknown, "not examined"},
		{"own host", policy.Examination{Greeting: policy.Local, Err: errors.New("no network")}, policy.Unknown, "our own host failed before anything was sent: no network"},
		{"not SOCKS", policy.Examination{Greeting: policy.Garbage, Phase: policy.Greeting}, policy.Misconfigured, "not as a SOCKS5 proxy"},
		{"credentials", policy.Examination{Greeting: policy.Denied, Phase: policy.Greeting}, policy.Misconfigured, "credentials"},
		{"refused", policy.Examination{Greeting: policy.Reset, Phase: policy.Connect}, policy.Unknown, "connection refused (blocked or down)"},
		{"reset", policy.Examination{Greeting: policy.Reset, Phase: policy.Greeting}, policy.Unknown, "reset in the SOCKS greeting"},
		{"rejected", policy.Examination{Greeting: policy.Rejected, Phase: policy.Connect}, policy.Unknown, "no route to host"},
		{"closed", policy.Examination{Greeting: policy.Closed, Phase: policy.Greeting}, policy.Unknown, "closes the connection"},
		{"silent", policy.Examination{Greeting: policy.Silent, Phase: policy.Connect}, policy.Unknown, "no answer to a TCP handshake in 1.5s"},
		{"hung", policy.Examination{Greeting: policy.Silent, Phase: policy.Greeting}, policy.Unknown, "accepts, but the SOCKS greeting is not answered in 1.5s"},
		{"carried", policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Answered, Bytes: 64 << 10}}, policy.Alive, "carried 64 KiB"},
		{"greeted", policy.Examination{Greeting: policy.Answered}, policy.Alive, "nothing was carried"},
		{"no egress", policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Refused, Reply: 4}}, policy.NoEgress, "reply 4"},
		{"frozen", policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Stalled, Bytes: 15 << 10}}, policy.Frozen, "flows stop at about 15 KiB down"},
		{"reset in a download", policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Reset, Bytes: 3 << 10}}, policy.Blocked, "reset after 3 KiB"},
		{"closed in a download", policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Closed, Bytes: 3 << 10}}, policy.Unknown, "closed after 3 KiB"},
		{"no reply", policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Silent}}, policy.NoEgress, "but not the request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.x.Asked, tt.x.At = base, base.Add(1500*time.Millisecond)
			c := policy.Conclude(tt.x)
			if c.Verdict != tt.want || !strings.Contains(c.Why, tt.says) {
				t.Errorf("want %s, ...%s...; got %s, %s", tt.want, tt.says, c, c.Why)
			}
			if c.Confidence < 0 || c.Confidence > 1 || (c.Verdict != policy.Unknown) != (c.Confidence > 0) && tt.x.Greeting == policy.Answered {
				t.Errorf("%s with confidence %v", c, c.Confidence)
			}
		})
	}
}

func TestNeighbourhood(t *testing.T) {
	for in, want := range map[string]string{
		"52.58.4.7":              "52.58.0.0/16",
		"::ffff:52.58.4.7":       "52.58.0.0/16",
		"2a05:d014:1234:5678::1": "2a05:d014::/32",
	} {
		if got := policy.Neighbourhood(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s: want %s, got %s", in, want, got)
		}
	}
	if got := policy.Neighbourhood(netip.Addr{}); got.IsValid() {
		t.Errorf("no address: want no prefix, got %s", got)
	}
}

func TestSpecKeepsItsPassword(t *testing.T) {
	s := policy.Spec{Host: "2001:db8::1", Port: 1080, Addr: netip.MustParseAddr("2001:db8::1"), User: "u", Password: "hunter2"}
	for _, text := range []string{s.Name(), s.String(), s.Address(), s.LogValue().String()} {
		if text != "[2001:db8::1]:1080" {
			t.Errorf("got %q", text)
		}
	}
}

func TestLimitsValidate(t *testing.T) {
	if err := (policy.Limits{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	err := policy.Limits{Active: 257, Canaries: -1, ProbeEvery: -1, RetestMax: -1}.Validate()
	if err == nil {
		t.Fatal("four mistakes, no error")
	}
	for _, word := range []string{"active", "canaries", "probe interval", "longest retest"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in: %v", word, err)
		}
	}
	if _, err := policy.NewGroup(policy.Limits{Active: -1}, 1); err == nil {
		t.Error("NewGroup takes invalid limits")
	}
}
