package worldtest_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(worldtest.M{M: m}) }

// TestLacks tries what is said to be lacking on a kernel, there and in memory: a
// lack that is none any more must be struck off.
func TestLacks(t *testing.T) {
	for lack, try := range map[worldtest.Lack]func(isp *testenv.ISP, far *testenv.Host) error{
		worldtest.Names: func(isp *testenv.ISP, _ *testenv.Host) error {
			_, err := isp.Add(blocker.Rule{When: blocker.When{Names: []string{"site.lab"}}, Do: blocker.Drop()})
			return err
		},
		worldtest.Latency: func(_ *testenv.ISP, far *testenv.Host) error {
			far.Line().Delay(time.Millisecond)
			return nil
		},
		worldtest.Bursts: func(isp *testenv.ISP, _ *testenv.Host) error {
			isp.Line().Lose(memnet.Bursts(.1, 2), memnet.Loss{})
			return nil
		},
		worldtest.Queues: func(isp *testenv.ISP, _ *testenv.Host) error {
			isp.Line().Narrow(memnet.Queue{Rate: 1e6, Buffer: 1e5}, memnet.Queue{})
			return nil
		},
	} {
		worldtest.Run(t, func(t *testing.T) {
			w, err := testenv.Open(testenv.Config{})
			if err != nil {
				t.Fatal(err)
			}
			isp := w.ISP("isp", testenv.ISPConfig{})
			cloud := w.Cloud("cloud", testenv.CloudConfig{Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/16")}})
			far, err := cloud.Host(netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			// What a call cannot tell, Close does.
			err = errors.Join(try(isp, far), w.Close())
			if want := worldtest.Backend() == testenv.Kernel; errors.Is(err, errors.ErrUnsupported) != want || !want && err != nil {
				t.Errorf("%v: %v", lack, err)
			}
		})
	}
}

// A kernel's world cannot be had where time is virtual.
func TestNoKernelInABubble(t *testing.T) {
	if worldtest.RealTime() {
		return
	}
	worldtest.Run(t, func(t *testing.T) {
		if w, err := testenv.Open(testenv.Config{Backend: testenv.Kernel}); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v, %v", w, err)
		}
	})
}
