package pool_test

import (
	"context"
	"log/slog"
	"sync"
)

// holdup is a log that takes nothing until it is released.
type holdup struct {
	once             sync.Once
	entered, release chan struct{}
}

func (h *holdup) logger() *slog.Logger { return slog.New(h) }

func (h *holdup) Enabled(context.Context, slog.Level) bool { return true }

func (h *holdup) Handle(context.Context, slog.Record) error {
	h.once.Do(func() { close(h.entered) })
	<-h.release
	return nil
}

func (h *holdup) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *holdup) WithGroup(string) slog.Handler { return h }
