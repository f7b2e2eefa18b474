package events_test

import (
	"fmt"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/study/events"
)

func Example() {
	type event struct {
		what   string
		client int
	}
	var q events.Queue[event]
	q.Push(2*time.Minute, event{"leaves", 1})
	q.Push(time.Minute, event{"arrives", 1})
	q.Push(time.Minute, event{"arrives", 2})
	for {
		now, e, ok := q.Pop()
		if !ok {
			break
		}
		fmt.Println(now, "client", e.client, e.what)
		if e.what == "arrives" && e.client == 2 {
			q.Push(now+time.Hour, event{"leaves", 2})
		}
	}
	// Output:
	// 1m0s client 1 arrives
	// 1m0s client 2 arrives
	// 2m0s client 1 leaves
	// 1h1m0s client 2 leaves
}
