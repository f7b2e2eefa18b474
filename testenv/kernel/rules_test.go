//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

func TestRulesBeforeTheFirstPacket(t *testing.T) {
	w := newWorld(t)
	for _, a := range []netip.AddrPort{server, other, server6} {
		w.serve(w.host(a.Addr()), a.Port(), echo)
	}
	for _, c := range []struct {
		do   blocker.Action
		act  blocker.Act
		is   func(error) bool
		wait time.Duration
	}{
		{blocker.Drop(), blocker.Discard, os.IsTimeout, silent},
		{blocker.Reset(), blocker.Forge, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }, patience},
		{blocker.Reject(), blocker.Refuse, func(err error) bool { return errors.Is(err, syscall.EHOSTUNREACH) }, patience},
	} {
		for _, a := range []netip.AddrPort{server, server6} {
			t.Run(fmt.Sprint(c.do, " ", a), func(t *testing.T) {
				w.T = t
				id := w.rules(to(a.Addr(), c.do))[0]
				if err := w.tries(a, c.wait); !c.is(err) {
					t.Errorf("dial: %v", err)
				}
				w.says(w.dial(other), "innocent")
				w.until("taken", func(r *record) bool {
					for _, x := range r.taken {
						if x.Rule == id {
							if x.Act != c.act || x.Kind != blocker.Syn || x.Dir != blocker.Up || x.Server != a || x.Client.Port() == 0 {
								t.Errorf("taken: %+v", x)
							}
							return true
						}
					}
					return false
				})
				w.rules()
				w.says(w.dial(a), "free again")
			})
		}
	}
}

func TestRulesOnAFlow(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)

	t.Run("drop", func(t *testing.T) {
		w.T = t
		c := w.dial(server)
		w.says(c, "hello")
		w.rules(to(serverAddr, blocker.Drop()))
		_, err := io.WriteString(c, "again")
		w.do(err)
		w.hearsNothing(c)
		w.rules()
		w.do(c.SetDeadline(time.Now().Add(patience)))
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Errorf("after the rule: %v", err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		w.T = t
		c := w.dial(server)
		w.says(c, "hello")
		w.rules(to(serverAddr, blocker.Reset()))
		defer w.rules()
		_, err := io.WriteString(c, "again")
		w.do(err)
		w.do(c.SetDeadline(time.Now().Add(patience)))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want a reset", err)
		}
	})
	t.Run("reject", func(t *testing.T) {
		w.T = t
		c := w.dial(server)
		w.says(c, "hello")
		w.rules(to(serverAddr, blocker.Reject()))
		defer w.rules()
		_, err := io.WriteString(c, "again")
		w.do(err)
		w.hearsNothing(c)
	})
	t.Run("one direction", func(t *testing.T) {
		w.T = t
		down := to(serverAddr, blocker.Drop())
		down.When.Dir = blocker.Down
		w.rules(down)
		defer w.rules()
		if err := w.tries(server, silent); !os.IsTimeout(err) {
			t.Errorf("dial: %v", err)
		}
		w.until("an answer taken", func(r *record) bool {
			return len(r.taken) > 0 && r.taken[len(r.taken)-1].Kind == blocker.SynAck && r.taken[len(r.taken)-1].Dir == blocker.Down
		})
	})
}

func TestPorts(t *testing.T) {
	w := newWorld(t)
	h := w.host(serverAddr)
	for _, p := range []uint16{80, 443, 8080} {
		w.serve(h, p, echo)
	}
	w.rules(blocker.Rule{When: blocker.When{Ports: []uint16{80}}, Do: blocker.Reset()},
		blocker.Rule{When: blocker.When{Ports: []uint16{8080, 9090, 8080}}, Do: blocker.Reject()})
	if err := w.tries(netip.AddrPortFrom(serverAddr, 80), patience); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("80: %v", err)
	}
	if err := w.tries(netip.AddrPortFrom(serverAddr, 8080), patience); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("8080: %v", err)
	}
	w.says(w.dial(server), "443")
}

func TestTheFirstRuleThatActsDecides(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	w.rules(to(serverAddr, blocker.Reject()), blocker.Rule{Do: blocker.Reset()})
	if err := w.tries(server, patience); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("%v, want the first rule's", err)
	}
	w.rules(blocker.Rule{Do: blocker.Reset()}, to(serverAddr, blocker.Reject()))
	if err := w.tries(server, patience); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want the first rule's", err)
	}
}

func TestDates(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	refused := func() bool { return errors.Is(w.tries(server, patience), syscall.ECONNREFUSED) }
	free := func() bool { return w.tries(server, patience) == nil }
	r := to(serverAddr, blocker.Reset())
	r.When.From = time.Now().Add(200 * time.Millisecond)
	r.When.Until = r.When.From.Add(24 * time.Hour)
	w.rules(r)
	w.eventually("begun", refused)
	if time.Now().Before(r.When.From) {
		t.Error("begun too early")
	}
	r.When.Until = time.Now().Add(300 * time.Millisecond)
	w.rules(r)
	w.eventually("ended", free)
	if time.Now().Before(r.When.Until) {
		t.Error("ended too early")
	}
}

// A change of date that fails is told of at the end, and the next one comes.
func TestADateThatFails(t *testing.T) {
	supported(t)
	n, err := kernel.New(kernel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := n.Vantage(netip.MustParseAddr("100.64.0.1"), netip.MustParsePrefix("100.64.0.0/24"), nil)
	if err != nil {
		t.Fatal(errors.Join(err, n.Close()))
	}
	first, second := to(serverAddr, blocker.Reset()), blocker.Rule{Do: blocker.Reset()}
	first.When.From = time.Now().Add(time.Second)
	second.When.From = first.When.From.Add(time.Second)
	set, _ := (*blocker.RuleSet)(nil).Replacing([]blocker.Rule{first, second})
	failure := errors.New("no")
	err = v.Rules(set)
	failed := v.FailCommit(1, failure)
	if err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(t.Context(), silent)
		_, err := v.Host().Dial(ctx, other)
		cancel()
		if errors.Is(err, syscall.ECONNREFUSED) {
			break // by the second
		}
		if time.Now().After(end) {
			t.Error("the second never comes")
			break
		}
	}
	if !failed() {
		t.Error("nothing has failed")
	}
	if err := n.Close(); !errors.Is(err, failure) {
		t.Errorf("close: %v", err)
	}
}

func TestShare(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	r := to(serverAddr, blocker.Reset())
	r.When.Probability = 0.3
	w.rules(r)
	const flows = 1000
	refused := 0
	for range flows {
		if errors.Is(w.tries(server, patience), syscall.ECONNREFUSED) {
			refused++
		}
	}
	// Five standard deviations.
	if refused < 300-73 || refused > 300+73 {
		t.Errorf("%d of %d flows are concerned, want about 300", refused, flows)
	}
}

func TestListsChangeByWhatIsNew(t *testing.T) {
	w := newWorld(t)
	hosts := []string{"52.58.0.1", "52.58.128.1", "52.59.0.1", "52.59.255.255", "203.0.113.5", "2001:db8::1", "2001:db8:8000::1"}
	for _, a := range hosts {
		w.serve(w.host(netip.MustParseAddr(a)), 443, echo)
	}
	var set *blocker.PrefixSet
	rules, id := (*blocker.RuleSet)(nil).With(blocker.Rule{})
	for _, step := range []struct{ with, without string }{
		{with: "52.58.0.0/16"},
		{with: "52.58.0.0/17"},
		{with: "52.59.0.0/16"},    // adjacent
		{without: "52.58.0.0/16"}, // its half stays
		{with: "0.0.0.0/0"},
		{with: "203.0.113.5/32"},
		{without: "0.0.0.0/0"},
		{with: "52.59.255.255/32"},
		{without: "52.59.0.0/16"},
		{with: "2001:db8::/33"},
		{with: "2001:db8:8000::/33"},
		{with: "::/0"},
		{without: "::/0"},
		{without: "2001:db8::/33"},
		{with: "255.255.255.255/32"},
		{with: "128.0.0.0/1"},
		{without: "128.0.0.0/1"},
	} {
		if step.with != "" {
			set = set.With(netip.MustParsePrefix(step.with))
		} else {
			set = set.Without(netip.MustParsePrefix(step.without))
		}
		rules = rules.Revised(id, blocker.Rule{When: blocker.When{Set: set}, Do: blocker.Reset()})
		w.do(w.isp.Rules(rules))
		for _, a := range hosts {
			err := w.tries(netip.AddrPortFrom(netip.MustParseAddr(a), 443), patience)
			if listed := set.Contains(netip.MustParseAddr(a)); listed != errors.Is(err, syscall.ECONNREFUSED) || !listed && err != nil {
				t.Errorf("after %+v: %s: %v, listed %v", step, a, err, listed)
			}
		}
	}
}

// A long list has a large set and a small one for what is new.
func TestLongLists(t *testing.T) {
	w := newWorld(t)
	addrs := []string{"52.58.0.1", "52.58.128.1", "52.59.0.1"}
	for _, a := range addrs {
		w.serve(w.host(netip.MustParseAddr(a)), 443, echo)
	}
	var set *blocker.PrefixSet
	rules, id := (*blocker.RuleSet)(nil).With(blocker.Rule{})
	for i, step := range []struct{ with, without []netip.Prefix }{
		{with: append(block(11, 20_000), prefix("52.58.0.1/32")...)},
		{with: prefix("52.58.128.1/32")},
		{without: prefix("52.58.0.1/32")},
		{with: prefix("52.59.0.0/16")},
		{with: prefix("52.58.0.0/15")},
		{without: prefix("52.58.0.0/15")},
		{without: prefix("52.58.128.1/32")},
		{with: block(12, 10_000)},
		{with: block(13, 10_000)},
		{without: prefix("52.59.0.0/16")},
		{with: block(14, 120_000)},
		{with: prefix("52.58.128.0/17")},
		{with: block(15, 120_000), without: block(14, 120_000)},
		{with: prefix("0.0.0.0/0")},
		{without: append(block(15, 120_000), prefix("0.0.0.0/0")...)},
	} {
		set = set.With(step.with...).Without(step.without...)
		rules = rules.Revised(id, blocker.Rule{When: blocker.When{Set: set}, Do: blocker.Reset()})
		w.do(w.isp.Rules(rules))
		for _, a := range addrs {
			err := w.tries(netip.AddrPortFrom(netip.MustParseAddr(a), 443), patience)
			if listed := set.Contains(netip.MustParseAddr(a)); listed != errors.Is(err, syscall.ECONNREFUSED) || !listed && err != nil {
				t.Errorf("after step %d: %s: %v, listed %v", i, a, err, listed)
			}
		}
	}
}

func TestAnEmptyListConcernsNobody(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	w.rules(blocker.Rule{When: blocker.When{Set: blocker.NewPrefixSet()}, Do: blocker.Reset()})
	w.says(w.dial(server), "free")
}

func TestUnsupportedRules(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	w.rules(to(serverAddr, blocker.Reset()))
	for _, r := range []blocker.Rule{
		{When: blocker.When{Names: []string{"telegram.lab"}}},
		{When: blocker.When{ExceptNames: []string{"bank.lab"}}, Do: blocker.Freeze(16 << 10)},
		{Do: blocker.Drop().Lingering(time.Minute)},
		{Do: blocker.Freeze(1 << 40)},
		{Do: blocker.FreezePackets(1 << 40)},
		{Do: blocker.Police(1e12)},
	} {
		set, _ := (*blocker.RuleSet)(nil).With(r)
		err := w.isp.Rules(set)
		var u *kernel.UnsupportedError
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &u) || w.isp.Check(r) == nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := w.tries(server, patience); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v: what was in force must stay", err)
	}
}

// source serves n bytes to whoever asks by a byte.
func source(n int) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
			_, _ = c.Write(make([]byte, n))
			_, _ = io.Copy(io.Discard, c)
		}
	}
}

// arrives is how many bytes come before silence.
func (w *world) arrives(c net.Conn) (n int) {
	w.Helper()
	b := make([]byte, 64<<10)
	for {
		w.do(c.SetReadDeadline(time.Now().Add(3 * silent)))
		m, err := c.Read(b)
		n += m
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				w.Errorf("read: %v", err)
			}
			return n
		}
	}
}

// Within one segment of the limit, less what a machine under load sends twice: that
// counts.
func TestFreeze(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, source(1<<20))
	w.serve(w.host(server6.Addr()), 443, source(1<<20))
	for _, a := range []netip.AddrPort{server, server6} {
		for _, c := range []struct {
			do          blocker.Action
			least, most int
		}{
			{blocker.Freeze(16 << 10), 12 << 10, 16<<10 - 1},
			{blocker.Freeze(16 << 10).Counting(blocker.Down), 12 << 10, 16 << 10},
			{blocker.Freeze(100 << 10), 94 << 10, 100<<10 - 1},
			{blocker.FreezePackets(10), 7 * 1400, 9 * 1448},
			{blocker.FreezePackets(10).Counting(blocker.Down), 8 * 1400, 10 * 1448},
		} {
			t.Run(fmt.Sprint(c.do, " ", a.Addr()), func(t *testing.T) {
				w.T = t
				w.rules(to(a.Addr(), c.do))
				defer w.rules()
				conn := w.dial(a)
				_, err := conn.Write([]byte{1})
				w.do(err)
				if n := w.arrives(conn); n < c.least || n > c.most {
					t.Errorf("%d bytes arrive, want %d to %d", n, c.least, c.most)
				}
			})
		}
	}
}

func TestFreezeUp(t *testing.T) {
	w := newWorld(t)
	got := make(chan int, 1)
	h := w.host(serverAddr)
	w.serve(h, 443, func(c net.Conn) { got <- w.arrives(c) })
	w.rules(to(serverAddr, blocker.Freeze(16<<10).Counting(blocker.Up)))
	c := w.dial(server)
	w.do(c.SetWriteDeadline(time.Now().Add(silent))) // it may not fit into the buffer
	_, _ = c.Write(make([]byte, 64<<10))
	if n := <-got; n < 12<<10 || n > 16<<10 {
		t.Errorf("%d bytes arrive, want up to 16384", n)
	}
}

// Small packets have more headers than payload.
func TestFreezeOfSmallPackets(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	w.rules(to(serverAddr, blocker.Freeze(1000)))
	c := w.dial(server)
	n := 0
	for ; n < 200; n += 20 {
		w.do(c.SetDeadline(time.Now().Add(3 * silent)))
		if _, err := io.WriteString(c, "0123456789"); err != nil {
			break
		}
		if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
			break
		}
	}
	if n != 200 {
		t.Errorf("%d bytes have passed of 200", n)
	}
	for ; n < 2000; n += 20 {
		w.do(c.SetDeadline(time.Now().Add(3 * silent)))
		if _, err := io.WriteString(c, "0123456789"); err != nil {
			break
		}
		if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
			break
		}
	}
	if n > 1000 || n < 900 {
		t.Errorf("%d bytes have passed, want 1000, less what was sent twice", n)
	}
}

// What does not get as far as the border is not counted.
func TestAFreezeCountsNothingThatIsCutOrLost(t *testing.T) {
	for name, off := range map[string]func(*kernel.Vantage, bool) error{
		"cut": (*kernel.Vantage).Cut,
		"lost": func(v *kernel.Vantage, on bool) error {
			if on {
				return v.Lose(1, 0)
			}
			return v.Lose(0, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve(w.host(serverAddr), 443, echo)
			w.rules(to(serverAddr, blocker.Freeze(16<<10).Counting(blocker.Up)))
			c := w.dial(server)
			w.says(c, "hello")
			w.do(off(w.isp, true))
			const size = 12 << 10
			_, err := c.Write(make([]byte, size))
			w.do(err)
			w.eventually("more than the limit is sent", func() bool {
				cut, lost, err := w.isp.Lost()
				w.do(err)
				return cut+lost >= 14
			})
			w.do(off(w.isp, false))
			w.do(c.SetDeadline(time.Now().Add(patience)))
			if n, err := io.ReadFull(c, make([]byte, size)); err != nil {
				t.Errorf("%d bytes come back of %d: %v", n, size, err)
			}
		})
	}
}

func TestAFrozenFlowThawsWithItsRule(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, source(100<<10))
	w.rules(to(serverAddr, blocker.Freeze(16<<10)))
	c := w.dial(server)
	_, err := c.Write([]byte{1})
	w.do(err)
	n := w.arrives(c)
	w.rules()
	w.do(c.SetDeadline(time.Now().Add(patience)))
	if m, err := io.ReadFull(c, make([]byte, 100<<10-n)); err != nil {
		t.Errorf("%d bytes more: %v", m, err)
	}
}

func TestPolice(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, source(1<<20))
	for _, rate := range []int{0, 10, 2000, 64 << 10} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			w.T = t
			w.rules(to(serverAddr, blocker.Police(float64(rate))))
			defer w.rules()
			c := w.dial(server)
			_, err := c.Write([]byte{1})
			w.do(err)
			const span = 3 * time.Second
			w.do(c.SetReadDeadline(time.Now().Add(span)))
			n, err := io.Copy(io.Discard, c)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
			// The bucket and what runs into it meanwhile are the most there can be.
			if most := int64(max(16<<10, rate) + 3*rate + 3000); n > most || n < 8<<10 {
				t.Errorf("%d bytes in %v, want up to %d", n, span, most)
			}
		})
	}
}

func TestRulesChangeUnderTraffic(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			set, _ := (*blocker.RuleSet)(nil).With(to(other.Addr(), blocker.Freeze(int64(i%5)*1000)))
			set, _ = set.With(to(other.Addr(), blocker.Police(1000)))
			if err := w.isp.Rules(set); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	c := w.dial(server)
	for range 200 {
		w.says(c, "hello")
		w.do(w.tries(server, patience))
	}
	cancel()
	<-done
}
