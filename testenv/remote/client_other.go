//go:build !linux

package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Run fails: it needs Linux.
func (c *Client) Run(context.Context, Program, *os.File, *os.File, *os.File, <-chan os.Signal) (status int, err error) {
	return 0, fmt.Errorf("programs need Linux: %w", errors.ErrUnsupported)
}
