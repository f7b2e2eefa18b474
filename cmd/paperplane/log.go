package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// logging is what the log flags say.
type logging struct{ level, format string }

func (l *logging) flags(cmd *cobra.Command) { l.flagsFrom(cmd, "info") }

// flagsFrom is flags with another level to begin with.
func (l *logging) flagsFrom(cmd *cobra.Command, level string) {
	l.level, l.format = level, "text"
	choiceFlag(cmd, &l.level, "log-level", "least important lines to log, on standard error", "debug", "info", "warn", "error")
	choiceFlag(cmd, &l.format, "log-format", "how log lines look", "text", "json")
}

// logger is the log that the flags ask for. On a terminal, text is made for
// reading; elsewhere it is made for grep.
func (l *logging) logger(w io.Writer) *slog.Logger {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	options := &slog.HandlerOptions{Level: levels[l.level]}
	switch {
	case l.format == "json":
		return slog.New(slog.NewJSONHandler(w, options))
	case isTerminal(w):
		return slog.New(newConsole(w, options.Level))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// warnings is log without what is of less importance than a warning: for a
// part that tells of its events by other means as well.
func warnings(log *slog.Logger) *slog.Logger { return slog.New(important{log.Handler()}) }

type important struct{ slog.Handler }

func (i important) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && i.Handler.Enabled(ctx, l)
}

func (i important) WithAttrs(attrs []slog.Attr) slog.Handler {
	return important{i.Handler.WithAttrs(attrs)}
}

func (i important) WithGroup(name string) slog.Handler { return important{i.Handler.WithGroup(name)} }
