package lab_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv/lab"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// TestRun plays everything as fast as it goes, while a client from outside
// fetches 100 MB through the first ISP's port. No request may fail for want of
// an endpoint while one is reachable.
func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &url.URL{Scheme: "socks5h", Host: l.Addr().String()}
	var out bytes.Buffer
	journal := &lab.Journal{W: &out}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var outside sync.WaitGroup
	defer outside.Wait()
	begun := sync.OnceFunc(func() {
		outside.Go(func() {
			if err := visit(ctx, proxy); err != nil {
				t.Error(err)
			}
		})
	})
	var last lab.State
	report, err := (&lab.Lab{
		Length: 2 * lab.MinLength, Seed: 1, Listener: l,
		Display: lab.DisplayFunc(func(s lab.State) {
			begun()
			last = s
			journal.Show(s)
		}),
	}).Run(t.Context())
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", out.String())

	if !report.OK() || report.Excused > 0 {
		t.Errorf("%d failed, %d found no endpoint reachable", report.Failed, report.Excused)
	}
	if report.Requests < 200 || report.Streams < 200 || report.Interrupted || report.Directs > 0 {
		t.Errorf("not what a run is: %+v", report)
	}
	// Each of the first relay's eight slots is lost several times, on average.
	if report.Lost < 16 || report.Discovered == 0 || report.ByPrefix == 0 || report.BornBlocked == 0 {
		t.Errorf("%d endpoints were lost in use; burnt: %d by discovery, %d by prefix, %d born blocked",
			report.Lost, report.Discovered, report.ByPrefix, report.BornBlocked)
	}
	if report.Peak < 19_000_000 || report.Peak > 20_000_000 {
		t.Errorf("%d addresses at the peak, want 19 to 20 million", report.Peak)
	}
	if len(report.Collateral) != report.Tenants || last.Tenants != report.Tenants {
		t.Errorf("%d of %d tenants hit, want all", len(report.Collateral), report.Tenants)
	}
	april, err := scenario.Builtin("april-2018")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(april.Registry) + len(april.Events); last.Elapsed != last.Length || len(last.Events) == 0 || last.Events[len(last.Events)-1].N < n {
		t.Errorf("the last picture is of %v, with %d events, want all %d acts", last.Elapsed, len(last.Events), n)
	}
}

// visit fetches the page, then the big file, going on where it was cut.
func visit(ctx context.Context, proxy *url.URL) error {
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var page bytes.Buffer
	if _, err := fetch(ctx, client, "/", &page, 0); err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	if !strings.Contains(page.String(), "It works.") {
		return fmt.Errorf("the page says %q", page.String())
	}
	const size = 100_000_000
	sum, got, tries := sha256.New(), int64(0), 0
	for got < size {
		n, err := fetch(ctx, client, "/big", sum, got)
		if got += n; err != nil && ctx.Err() != nil {
			return fmt.Errorf("after %d bytes and %d cuts: %w", got, tries, err)
		}
		if tries++; tries > 100 {
			return fmt.Errorf("after %d bytes: %w", got, err)
		}
	}
	want := sha256.New()
	if _, err := io.Copy(want, lab.NewContent(size)); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
		return errors.New("the big file came with other bytes")
	}
	return nil
}

func fetch(ctx context.Context, client *http.Client, path string, to io.Writer, from int64) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://telegram.lab"+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	want := http.StatusOK
	if from > 0 {
		want = http.StatusPartialContent
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		request.Header.Set("If-Range", `"big-100000000"`)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		return 0, errors.New(response.Status)
	}
	return io.Copy(to, response.Body)
}

// TestInterrupt ends a run in its middle.
func TestInterrupt(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	report, err := (&lab.Lab{Length: lab.MinLength, Display: lab.DisplayFunc(func(s lab.State) {
		if s.Elapsed > 2*time.Second {
			cancel()
		}
	})}).Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Interrupted || !report.OK() || report.Requests == 0 || report.Length < 2*time.Second || report.Length > 8*time.Second {
		t.Errorf("report: %+v", report)
	}
	var b strings.Builder
	if _, err := report.WriteTo(&b); err != nil || !strings.Contains(b.String(), "interrupted after ") {
		t.Errorf("%v\n%s", err, b.String())
	}
	goleak.VerifyNone(t, before)
}

// TestInterruptAtOnce ends a run before it has begun.
func TestInterruptAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := (&lab.Lab{Length: lab.MinLength}).Run(ctx)
	if err != nil || !report.Interrupted || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestValidate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&lab.Lab{Length: time.Second, Listener: l}).Run(t.Context()); err == nil {
		t.Error("no error for a run of one second")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was left: %v", err)
	}
}

func TestWithoutEndpoints(t *testing.T) {
	s, err := scenario.Builtin("own-outage")
	if err != nil {
		t.Fatal(err)
	}
	for n := range s.Clouds {
		s.Clouds[n].Endpoints = nil
	}
	s.Events = nil
	if err := (&lab.Lab{Scenario: s}).Validate(); err == nil || !strings.Contains(err.Error(), "own-outage: has no endpoints") {
		t.Errorf("%v", err)
	}
}
