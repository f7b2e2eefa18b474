package scenario_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// scene is a scenario that is being played in a bubble.
type scene struct {
	*testing.T

	stage *scenario.Stage
	play  sync.WaitGroup
	// patience is how long a fetch may take, by the world's time.
	patience time.Duration
}

// played plays a scenario, calls f meanwhile, and ends the world when f returns.
func played(t *testing.T, s *scenario.Scenario, speed float64, f func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := testenv.New(testenv.Config{Seed: 1, Backend: testenv.Memory})
		stage, err := s.Build(w, scenario.Options{Speed: speed, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range s.Destinations {
			if err := w.Named(d.Name).Serve(80, sends); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		c := &scene{T: t, stage: stage, patience: 30 * time.Second}
		if speed > 1 {
			c.patience = time.Second
		}
		c.play.Go(func() {
			if err := stage.Play(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
		f(c)
		cancel()
		c.play.Wait()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// sends waits for a byte, and answers with as many KiB as it says.
func sends(c net.Conn) {
	var ask [1]byte
	if _, err := io.ReadFull(c, ask[:]); err == nil {
		_, _ = c.Write(make([]byte, int(ask[0])<<10))
	}
}

// until sleeps until the story's clock shows a date, in the zone of its beginning,
// as in a file.
func (c *scene) until(date string) {
	c.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", date, c.stage.Scenario.Begins.Location())
	if err != nil {
		c.Fatal(err)
	}
	if d := time.Until(c.stage.Time(at)); d > 0 {
		time.Sleep(d)
	}
	synctest.Wait()
}

// isp is the ISP of a name.
func (c *scene) isp(name string) *testenv.ISP {
	c.Helper()
	for _, isp := range c.stage.ISPs {
		if isp.Name() == name {
			return isp
		}
	}
	c.Fatalf("no ISP %s", name)
	return nil
}

// in is the oldest endpoint within a prefix.
func (c *scene) in(prefix string) *testenv.Host {
	c.Helper()
	for _, h := range c.stage.Endpoints() {
		if netip.MustParsePrefix(prefix).Contains(h.Addr()) {
			return h
		}
	}
	c.Fatalf("no endpoint in %s", prefix)
	return nil
}

// fetch gets some KiB from a destination through an endpoint, and returns how
// many bytes came.
func (c *scene) fetch(isp *testenv.ISP, h *testenv.Host, from string, kib byte) (int64, error) {
	ctx, cancel := context.WithTimeout(c.Context(), c.patience)
	defer cancel()
	spec := h.Spec()
	conn, err := isp.DialContext(ctx, "tcp", spec.Address())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(c.patience))
	d, err := proxy.SOCKS5("tcp", spec.Address(), &proxy.Auth{User: spec.User, Password: spec.Password}, already{conn})
	if err != nil {
		return 0, err
	}
	if conn, err = d.Dial("tcp", net.JoinHostPort(from, "80")); err != nil {
		return 0, err
	}
	if _, err := conn.Write([]byte{kib}); err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, conn)
}

// already is a dialer of what is connected.
type already struct{ net.Conn }

func (a already) Dial(string, string) (net.Conn, error) { return a.Conn, nil }

// passes holds that 64 KiB come through an endpoint, or that they do not.
func (c *scene) passes(isp string, h *testenv.Host, from string, want bool) {
	c.Helper()
	n, err := c.fetch(c.isp(isp), h, from, 64)
	if got := n == 64<<10 && err == nil; got != want {
		c.Errorf("%s, at %s: %d bytes from %s through %v, %v", c.stage.Date(time.Now()).Format("01-02 15:04"), isp, n, from, h.Addr(), err)
	}
}

func TestTheFreeze(t *testing.T) {
	played(t, builtin(t, "tspu-2025"), 1, func(c *scene) {
		foreign, small := c.in("65.108.0.0/15"), c.in("185.244.48.0/23")
		at := netip.AddrPortFrom(foreign.Addr(), foreign.Spec().Port)
		c.until("2025-06-02 07:30")
		c.passes("mts", foreign, "telegram.lab", true)
		for _, day := range []string{"2025-06-02 ", "2025-06-03 "} {
			c.until(day + "12:30")
			before := c.stage.World.Ledger().Path("mts", at)
			n, err := c.fetch(c.isp("mts"), foreign, "telegram.lab", 64)
			after := c.stage.World.Ledger().Path("mts", at)
			if passed := after.Up + after.Down - before.Up - before.Down; err == nil || n < 15<<10 || passed != 16<<10 {
				c.Errorf("by day: %d bytes came, %d passed the border, %v", n, passed, err)
			}
			c.passes("mts", foreign, "bank.lab", true)
			c.passes("mts", small, "telegram.lab", true)
			c.passes("regional", small, "telegram.lab", false)
			c.until(day + "15:01")
			c.passes("regional", small, "telegram.lab", true)
			c.until(day + "23:01")
			c.passes("mts", foreign, "telegram.lab", true)
		}
		l := c.stage.World.Ledger()
		if len(l.Burns) == 0 || l.Addresses != 0 {
			c.Errorf("at night %d addresses are blocked; %d endpoints burnt so far", l.Addresses, len(l.Burns))
		}
		if first := l.FirstDropped("mts", foreign.Addr()); c.stage.Date(first).Hour() != 12 {
			c.Errorf("it was first struck at %v", c.stage.Date(first))
		}
	})
}

func TestTheWhitelist(t *testing.T) {
	played(t, builtin(t, "whitelist"), 1, func(c *scene) {
		all := []string{"52.58.0.0/15", "65.108.0.0/15", "158.160.0.0/16", "84.201.128.0/18"}
		for _, step := range []struct {
			date, isp string
			whitelist bool
		}{
			{"2025-11-03 08:59", "mobile", false},
			{"2025-11-03 09:00", "mobile", true},
			{"2025-11-03 12:00", "fixed", false},
			{"2025-11-03 20:50", "mobile", true},
			{"2025-11-03 21:00", "mobile", false},
			{"2025-11-04 00:30", "fixed", true},
			{"2025-11-04 04:00", "fixed", false},
		} {
			c.until(step.date)
			for i, prefix := range all {
				c.passes(step.isp, c.in(prefix), "telegram.lab", !step.whitelist || i == len(all)-1)
			}
			l := c.stage.World.Ledger()
			if n := l.AddressesAt[step.isp]; n != 0 && !step.whitelist || step.whitelist && n != 1<<32-1<<14 {
				c.Errorf("%s: %d addresses blocked at %s", step.date, n, step.isp)
			}
		}
		for _, b := range c.stage.World.Ledger().Burns {
			if netip.MustParsePrefix("84.201.128.0/18").Contains(b.Endpoint.Addr()) {
				c.Errorf("what is permitted was burnt: %+v", b)
			}
		}
	})
}

func TestTheBridges(t *testing.T) {
	const day = 24 * time.Hour
	played(t, builtin(t, "gfw-bridges"), 1, func(c *scene) {
		used := c.stage.Endpoints()[:5]
		for _, h := range used {
			c.passes("unicom", h, "wikipedia.lab", true)
		}
		c.play.Wait()
		l := c.stage.World.Ledger()
		at := make(map[netip.Addr]time.Duration)
		for _, b := range l.Burns {
			if b.ISP == "unicom" {
				at[b.Endpoint.Addr()] = b.At.Sub(c.stage.Began)
				if b.Cause != testenv.Discovered || !b.Exposed {
					c.Errorf("%+v", b)
				}
			}
		}
		if len(at) != len(used) {
			c.Errorf("%d endpoints were found, want the %d that were used", len(at), len(used))
		}
		first := at[used[0].Addr()]
		for _, h := range used {
			if d := at[h.Addr()]; d < 2*day || d > 37*day || (d-first).Abs() > 20*time.Minute {
				c.Errorf("%v was found after %v, the first after %v", h.Addr(), d, first)
			}
			c.passes("unicom", h, "wikipedia.lab", false)
			c.passes("telecom", h, "wikipedia.lab", false)
		}
		c.passes("unicom", c.stage.Endpoints()[5], "wikipedia.lab", true)
		if got, want := time.Since(c.stage.Began).Truncate(day), 100*day; got != want {
			c.Errorf("played for %v, want %v", got, want)
		}
	})
}

func TestTheEviction(t *testing.T) {
	played(t, builtin(t, "zello-2018"), 1, func(c *scene) {
		amazon := c.in("3.120.0.0/14")
		c.until("2018-03-22 13:00")
		c.passes("rostelecom", amazon, "zello.lab", true)
		c.until("2018-03-24 12:30") // asked to leave
		c.passes("rostelecom", amazon, "zello.lab", true)
		c.until("2018-03-27 11:59")
		c.passes("rostelecom", amazon, "zello.lab", true)
		google := c.in("35.184.0.0/13")
		c.passes("rostelecom", google, "zello.lab", true)
		c.until("2018-03-27 12:01")
		c.passes("rostelecom", amazon, "zello.lab", false)
		c.passes("rostelecom", google, "zello.lab", true)
		spent := c.stage.World.Ledger().Spent
		for _, h := range c.stage.Endpoints() {
			if h.Spec().Provider != "google" {
				c.Errorf("%v is left at %s", h.Addr(), h.Spec().Provider)
			}
		}
		// 18 at Amazon for five days, 14 at Google for two and some hours.
		if spent < 18*120*.0116 || spent > 18*120*.0116+14*52*.0105 {
			c.Errorf("%.2f spent", spent)
		}
		for _, b := range c.stage.World.Ledger().Burns {
			if b.Endpoint.Addr() == amazon.Addr() {
				c.Errorf("an eviction is no burn: %+v", b)
			}
		}
	})
}

func TestTheOutage(t *testing.T) {
	played(t, builtin(t, "own-outage"), 1, func(c *scene) {
		h := c.in("52.58.0.0/15")
		began := c.stage.Began
		after := func(d time.Duration) {
			time.Sleep(time.Until(began.Add(d)))
			synctest.Wait()
		}
		after(16 * time.Second)
		ctx, cancel := context.WithTimeout(c.Context(), 500*time.Millisecond)
		if _, err := c.isp("train").DialContext(ctx, "tcp", h.Spec().Address()); !errors.Is(err, context.DeadlineExceeded) {
			c.Errorf("in a handover: %v", err)
		}
		cancel()
		c.passes("office", h, "mail.lab", true)
		after(18 * time.Second)
		c.passes("train", h, "mail.lab", true)
		after(66 * time.Second)
		if _, err := c.fetch(c.isp("train"), h, "mail.lab", 1); !errors.Is(err, syscall.ECONNREFUSED) {
			c.Errorf("of a process that is stopped: %v", err)
		}
		if c.stage.Runs(h) {
			c.Error("it is said to run")
		}
		after(72 * time.Second)
		c.passes("train", h, "mail.lab", true)
		c.play.Wait()
		l := c.stage.World.Ledger()
		if len(l.Burns)+len(l.Hits)+len(l.Tenants) != 0 || l.Addresses != 0 {
			c.Errorf("something was burnt by nobody: %+v", l)
		}
		down := make(map[string]time.Duration)
		for _, o := range l.Outages {
			down[o.ISP] += o.Until.Sub(o.From)
		}
		if down["train"] != 35*time.Second || down["office"] != 30*time.Second {
			c.Errorf("down for %v", down)
		}
	})
}

// April 2018, at a speed that makes a minute of it: what holds at its dates holds
// at any speed.
func TestAprilPlayed(t *testing.T) {
	s := builtin(t, "april-2018")
	for _, speed := range []float64{1, 18060} {
		played(t, s, speed, func(c *scene) {
			first := c.in("18.196.0.0/15")
			c.until("2018-04-16 14:00")
			c.passes("mts", first, "telegram.lab", true)
			c.until("2018-04-16 16:00")
			if _, err := c.fetch(c.isp("mts"), first, "telegram.lab", 1); !errors.Is(err, syscall.ECONNREFUSED) {
				c.Errorf("listed, to be reset: %v", err)
			}
			frozen := c.in("35.156.0.0/14")
			c.until("2018-04-16 20:45")
			if n, err := c.fetch(c.isp("mts"), frozen, "telegram.lab", 64); err == nil || n < 15<<10 {
				c.Errorf("listed, to freeze: %d bytes, %v", n, err)
			}
			c.until("2018-04-17 20:30")
			l := c.stage.World.Ledger()
			if n := l.AddressesAt["mts"]; n < 19_000_000 || n > 20_000_000 {
				c.Errorf("%d addresses at the peak", n)
			}
			// It applies the list nine hours late, as time is on the average.
			if n := l.AddressesAt["regional"]; n > 16_500_000 {
				c.Errorf("%d addresses at once where there is a lag", n)
			}
			c.play.Wait()
			l = c.stage.World.Ledger()
			// Nearly 18 million, less three hosters' 262,144.
			if n := l.AddressesAt["mts"]; n < 17_600_000 || n > 17_700_000 {
				c.Errorf("%d addresses at the end", n)
			}
			born := 0
			for _, b := range l.Burns {
				if b.ISP == "mts" && b.Cause == testenv.BornBlocked {
					born++
				}
			}
			if born != 6 {
				c.Errorf("%d endpoints were born blocked, want 6", born)
			}
		})
	}
}
