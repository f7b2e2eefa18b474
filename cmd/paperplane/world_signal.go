package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
)

// contextWithout is a command's context without its end.
func contextWithout(cmd *cobra.Command) context.Context { return context.WithoutCancel(cmd.Context()) }

// absolute is a path for programs that start elsewhere.
func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
