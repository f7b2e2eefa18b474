package kernel_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

func TestMain(m *testing.M) {
	os.Exit(kernel.Main(func() int {
		code := m.Run()
		if err := goleak.Find(); code == 0 && err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			return 1
		}
		return code
	}))
}
