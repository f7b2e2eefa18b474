package relay

import (
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
)

// nobody is a pool without endpoints.
func nobody(t testing.TB) *pool.Pool {
	t.Helper()
	p, err := pool.New(pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestValidateTellsEverythingAtOnce(t *testing.T) {
	_, err := New(Config{
		Patience:         -time.Second,
		HandshakeTimeout: -time.Second,
		MaxClients:       -1,
		Replay:           9,
		Users:            map[string]string{"": "x", "long": strings.Repeat("x", 256)},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no pool", "patience", "handshake", "clients", "replay", "user name", `"long"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not mention %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "xx") {
		t.Errorf("%q tells a password", err)
	}
	if err := (Config{Pool: nobody(t)}).Validate(); err != nil {
		t.Errorf("the zero value with a pool: %v", err)
	}
}

func TestReplayIsText(t *testing.T) {
	for _, r := range []Replay{Safe, Always, Never} {
		text, err := r.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Replay
		if err := back.UnmarshalText(text); err != nil || back != r {
			t.Errorf("%s came back as %s, %v", text, back, err)
		}
	}
	if _, err := Replay(7).MarshalText(); err == nil {
		t.Error("an unknown policy has a name")
	}
	var r Replay
	if err := r.UnmarshalText([]byte("sometimes")); err == nil {
		t.Error("an unknown name has a policy")
	}
}
