package testenv

import (
	"time"

	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// Line is a stretch of the path with troubles of its own, which nobody means:
// see memnet.Line, whose words these are. What it says holds for connections
// under way too. What a world's backend cannot do to packets, World.Close
// returns as an error. It is safe for concurrent use.
type Line struct {
	w      *World
	keeper lineKeeper
}

// Lose says how segments get lost from now on, in each direction. Up is from
// whoever dials.
func (l *Line) Lose(up, down memnet.Loss) {
	l.do(func(k lineKeeper) error { return k.lose(up, down) })
}

// Delay makes the line longer by d, one way.
func (l *Line) Delay(d time.Duration) { l.do(func(k lineKeeper) error { return k.delay(d) }) }

// Jitter makes each packet take a time between 0 and d longer, drawn by lot.
func (l *Line) Jitter(d time.Duration) { l.do(func(k lineKeeper) error { return k.jitter(d) }) }

// Narrow gives the line a bottleneck in each direction, which all its
// connections share.
func (l *Line) Narrow(up, down memnet.Queue) {
	l.do(func(k lineKeeper) error { return k.narrow(up, down) })
}

// Lost is how many segments the line has lost by now.
func (l *Line) Lost() int64 { return l.keeper.lost() }

func (l *Line) do(f func(lineKeeper) error) { l.w.trouble(f(l.keeper)) }

// memoryLine is a line in memory.
type memoryLine struct{ *memnet.Line }

func (l memoryLine) lose(up, down memnet.Loss) error    { l.Line.Lose(up, down); return nil }
func (l memoryLine) delay(d time.Duration) error        { l.Line.Delay(d); return nil }
func (l memoryLine) jitter(d time.Duration) error       { l.Line.Jitter(d); return nil }
func (l memoryLine) narrow(up, down memnet.Queue) error { l.Line.Narrow(up, down); return nil }
func (l memoryLine) lost() int64                        { return l.Line.Lost() }
