package main

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

func exampleFindings() []finding {
	at := time.Date(2018, 4, 16, 12, 0, 0, 0, time.UTC)
	spec := func(host, provider string) policy.Spec {
		addr, _ := netip.ParseAddr(host)
		return policy.Spec{Host: host, Addr: addr, Port: 1080, User: "u", Password: "secret", Provider: provider}
	}
	named := spec("exit.example.org", "")
	named.Addr = netip.MustParseAddr("203.0.113.9")
	return []finding{
		conclude(spec("198.51.100.7", "aws"), policy.Examination{
			Asked: at, At: at.Add(431 * time.Millisecond), Depth: policy.Carry,
			Greeting: policy.Answered, RTT: 41200 * time.Microsecond,
			Down: policy.Passage{Outcome: policy.Answered, Bytes: 65536, Rate: 1.25e6},
		}),
		conclude(named, policy.Examination{
			Asked: at, At: at.Add(5 * time.Second), Depth: policy.Carry,
			Greeting: policy.Answered, RTT: 3 * time.Millisecond,
			Down: policy.Passage{Outcome: policy.Stalled, Bytes: 15 << 10}, Err: errors.New("i/o timeout"),
		}),
		conclude(spec("2001:db8::7", ""), policy.Examination{
			Asked: at, At: at.Add(3 * time.Second), Depth: policy.Carry,
			Greeting: policy.Silent, Phase: policy.Connect,
		}),
		conclude(spec("192.0.2.7", ""), policy.Examination{
			Asked: at, At: at.Add(2 * time.Second), Depth: policy.Carry,
			Greeting: policy.Silent, Phase: policy.Connect, Tries: 5, Failures: 5,
			Views: []policy.View{
				{Through: "198.51.100.7:1080", Asked: at, At: at.Add(250 * time.Millisecond), Control: policy.Answered, Suspect: policy.Answered},
				{Through: "198.51.100.8:1080", Asked: at, At: at.Add(time.Second), Control: policy.Refused, Suspect: policy.Refused, Reply: 2},
			},
		}),
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := printTable(&out, exampleFindings()[:3]); err != nil {
		t.Fatal(err)
	}
	const want = `
ENDPOINT               VERDICT  ROUND TRIP      RATE  WHY
198.51.100.7:1080      alive         41 ms  1.2 MB/s  carried 64 KiB
exit.example.org:1080  frozen       3.0 ms         -  flows stop at about 15 KiB down, while greetings are answered
[2001:db8::7]:1080     unknown           -         -  no answer to a TCP handshake in 3s (blocked or down)
1 of 3 endpoints alive
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got%s", got)
	}
}

// What others saw is a column of its own.
func TestTableWithViews(t *testing.T) {
	var out bytes.Buffer
	if err := printTable(&out, exampleFindings()[2:]); err != nil {
		t.Fatal(err)
	}
	const want = `
ENDPOINT            VERDICT            ROUND TRIP  RATE  ELSEWHERE  WHY
[2001:db8::7]:1080  unknown                     -     -  -          no answer to a TCP handshake in 3s (blocked or down)
192.0.2.7:1080      blocked (dropped)           -     -  up         no answer to 5 TCP handshakes in 2s, but it answers through 198.51.100.7:1080
0 of 2 endpoints alive
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got%s", got)
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := printJSON(&out, exampleFindings()); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "alive": 1,
  "endpoints": [
    {
      "endpoint": "198.51.100.7:1080",
      "address": "198.51.100.7:1080",
      "provider": "aws",
      "region": "",
      "verdict": "alive",
      "cause": null,
      "confidence": 0.999,
      "why": "carried 64 KiB",
      "rtt_ms": 41.2,
      "rate_bytes_per_second": 1250000,
      "downloaded_bytes": 65536,
      "upload_rate_bytes_per_second": null,
      "uploaded_bytes": 0,
      "handshakes": 0,
      "failed_handshakes": 0,
      "reaches_another": null,
      "views": [],
      "took_ms": 431
    },
    {
      "endpoint": "exit.example.org:1080",
      "address": "203.0.113.9:1080",
      "provider": "",
      "region": "",
      "verdict": "frozen",
      "cause": "stalled",
      "confidence": 0.98,
      "why": "flows stop at about 15 KiB down, while greetings are answered",
      "rtt_ms": 3,
      "rate_bytes_per_second": null,
      "downloaded_bytes": 15360,
      "upload_rate_bytes_per_second": null,
      "uploaded_bytes": 0,
      "handshakes": 0,
      "failed_handshakes": 0,
      "reaches_another": null,
      "views": [],
      "took_ms": 5000
    },
    {
      "endpoint": "[2001:db8::7]:1080",
      "address": "[2001:db8::7]:1080",
      "provider": "",
      "region": "",
      "verdict": "unknown",
      "cause": "silent",
      "confidence": 0.97,
      "why": "no answer to a TCP handshake in 3s (blocked or down)",
      "rtt_ms": null,
      "rate_bytes_per_second": null,
      "downloaded_bytes": 0,
      "upload_rate_bytes_per_second": null,
      "uploaded_bytes": 0,
      "handshakes": 0,
      "failed_handshakes": 0,
      "reaches_another": null,
      "views": [],
      "took_ms": 3000
    },
    {
      "endpoint": "192.0.2.7:1080",
      "address": "192.0.2.7:1080",
      "provider": "",
      "region": "",
      "verdict": "blocked",
      "cause": "silent",
      "confidence": 0.97902,
      "why": "no answer to 5 TCP handshakes in 2s, but it answers through 198.51.100.7:1080",
      "rtt_ms": null,
      "rate_bytes_per_second": null,
      "downloaded_bytes": 0,
      "upload_rate_bytes_per_second": null,
      "uploaded_bytes": 0,
      "handshakes": 5,
      "failed_handshakes": 5,
      "reaches_another": null,
      "views": [
        {
          "through": "198.51.100.7:1080",
          "control": "answered",
          "suspect": "answered",
          "reply": null,
          "shows": "up",
          "took_ms": 250
        },
        {
          "through": "198.51.100.8:1080",
          "control": "refused",
          "suspect": "refused",
          "reply": 2,
          "shows": "no view",
          "took_ms": 1000
        }
      ],
      "took_ms": 2000
    }
  ]
}
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

func TestUnits(t *testing.T) {
	for r, want := range map[float64]string{
		0: "", 17.4: "17 B/s", 999.4: "999 B/s", 999.6: "1.0 kB/s", 17400: "17 kB/s", 999_499: "999 kB/s", 1.25e6: "1.2 MB/s", 2.2e9: "2.2 GB/s",
	} {
		if got := rate(r); got != want {
			t.Errorf("rate(%v) = %q, want %q", r, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "", 40 * time.Microsecond: "<0.1 ms", 3 * time.Millisecond: "3.0 ms", 41200 * time.Microsecond: "41 ms", 1500 * time.Millisecond: "1.5 s",
	} {
		if got := roundTrip(d); got != want {
			t.Errorf("roundTrip(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 30 * time.Second: "30s", 2 * time.Minute: "2m", time.Hour: "1h", 90 * time.Second: "1m30s"} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}
