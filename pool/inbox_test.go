package pool

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// What is said of a handle whose endpoint has another one now is dropped, and it
// has nobody roused from then on.
func TestStaleHandleIsNotHeard(t *testing.T) {
	p, err := New(Config{Active: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := policy.Spec{Host: "192.0.2.1", Port: 1080}
	if err := p.Add(s); err != nil {
		t.Fatal(err)
	}
	old := p.Endpoint(s.Name())
	p.advance(time.Now())
	now := time.Now()
	trouble := policy.Evidence{Phase: policy.Greeting, Outcome: policy.Reset, Asked: now, At: now}
	answer := policy.Evidence{Phase: policy.Greeting, Outcome: policy.Answered, Asked: now, At: now}
	old.Report(trouble) // waits when the handle grows stale, as does the answer
	old.Report(answer)
	p.Retire(s.Name())
	if err := p.Add(s); err != nil {
		t.Fatal(err)
	}
	old.Report(trouble)
	fresh := p.Endpoint(s.Name())
	p.advance(time.Now())
	if r := p.group.Record(fresh.index); r.State != policy.Active || r.Verdict != policy.Unknown {
		t.Errorf("want the fresh one active and unknown, got %s, %s", r.State, r.Verdict)
	}
	if s := old.State(); s != policy.Retired {
		t.Errorf("the old one is %s", s)
	}
	old.Report(trouble)
	p.advance(time.Now())
	<-p.wake
	later := time.Now()
	answer.Asked, answer.At = later, later
	old.Report(answer)
	select {
	case <-p.wake:
		t.Error("an answer of the old one rouses the pool")
	default:
	}
}
