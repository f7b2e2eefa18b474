package memnet_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

func TestDelayChangesOnLiveConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := new(memnet.Line)
		h := narrow(t, line)
		c := dialTo(t, h, 7)
		for _, more := range []time.Duration{0, 250 * ms, time.Second, 0} {
			time.Sleep(5 * time.Second) // nothing is under way that could not be overtaken
			line.Delay(more)
			if took := ping(t, c, 100); took != 50*ms+2*more {
				t.Errorf("%v more each way: the echo took %v", more, took)
			}
			if f, _ := c.Flow(); f.RTT != 50*ms+2*more {
				t.Errorf("%v more each way: %+v", more, f)
			}
		}
		line.Delay(400 * ms)
		start := time.Now()
		_ = dialTo(t, h, 7)
		if took := time.Since(start); took != 850*ms {
			t.Errorf("a dial took %v", took)
		}
	})
}

// What is sent after the line has become shorter does not overtake what was
// sent before.
func TestNothingOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := new(memnet.Line)
		client, server, _ := pair(t, memnet.Path{Near: 10 * ms, NearLine: line})
		line.Delay(time.Second)
		start := time.Now()
		_, _ = client.Write([]byte("one"))
		time.Sleep(100 * ms)
		line.Delay(0)
		_, _ = client.Write([]byte("two"))
		b := make([]byte, 6)
		if _, err := io.ReadFull(server, b); err != nil || string(b) != "onetwo" || time.Since(start) != 1010*ms {
			t.Errorf("%q, %v after %v", b, err, time.Since(start))
		}
		if f, _ := server.Flow(); f.Disordered != 0 {
			t.Errorf("%+v", f)
		}
	})
}

// Each way takes up to the given time longer, evenly distributed: the mean of
// both ways is that time, its least nothing, its most twice.
func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := new(memnet.Line)
		h := narrow(t, line)
		c := dialTo(t, h, 7)
		line.Jitter(100 * ms)
		var sum, longest time.Duration
		shortest := time.Hour
		const pings = 4000
		for range pings {
			took := ping(t, c, 1)
			sum, shortest, longest = sum+took, min(shortest, took), max(longest, took)
			time.Sleep(time.Second)
		}
		// The standard deviation of one is 100 ms/sqrt(6), of the mean .65 ms.
		if mean := sum / pings; !near(mean, 150*ms, 3*ms) {
			t.Errorf("%v in the mean, want 150ms", mean)
		}
		if !near(shortest, 50*ms, 10*ms) || shortest < 50*ms || !near(longest, 250*ms, 10*ms) || longest > 250*ms {
			t.Errorf("between %v and %v", shortest, longest)
		}
		// A stream of many packets comes in order.
		go func() {
			for range 200 {
				_, _ = c.Write(make([]byte, 100))
				time.Sleep(5 * ms)
			}
		}()
		if _, err := io.ReadFull(c, make([]byte, 200*100)); err != nil {
			t.Fatal(err)
		}
		if f, _ := c.Flow(); f.Disordered != 0 || f.Resent != 0 {
			t.Errorf("%+v", f)
		}
	})
}
