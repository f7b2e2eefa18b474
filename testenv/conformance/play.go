package conformance

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

// play plays a case in a world of a backend, and returns what both sides saw. It
// takes some seconds. An error means that it could not be played.
func (c *Case) play(on testenv.Backend) (o Outcome, err error) {
	s, err := newScene(on, c.Trouble.unserved)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := performance{scene: s, Case: c, want: c.wanted(on == testenv.Kernel)}
	switch c.Moment {
	case Before, LiftedBefore:
		err = p.dialUnder()
	case Handshake, Down, Up, Idle, Kept, LiftedDown:
		err = p.streamUnder()
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return Outcome{Unsupported: true}, nil
	}
	return p.outcome(), err
}

// dialUnder has the trouble begin before the client dials.
func (p *performance) dialUnder() error {
	if err := p.begin(); err != nil {
		return err
	}
	p.dial()
	p.proceed = p.download
	if err := p.lift(); err != nil {
		return err
	}
	p.watch()
	return nil
}

// streamUnder has it begin when the connection is open.
func (p *performance) streamUnder() error {
	if err := p.open(p.Trouble.unserved); err != nil {
		return err
	}
	if err := p.prepare(); err != nil {
		return fmt.Errorf("before the trouble: %w", err)
	}
	if err := p.begin(); err != nil {
		return err
	}
	switch p.Moment {
	case Handshake:
		p.client.say(request)
		p.proceed = p.download
	case Down, LiftedDown:
		p.server.say(make([]byte, rest))
	case Up:
		p.client.say(make([]byte, rest))
	case Idle, Kept, Before, LiftedBefore:
	}
	if err := p.lift(); err != nil {
		return err
	}
	p.watch()
	return nil
}

// prepare has said what comes before the trouble.
func (p *performance) prepare() error {
	switch p.Moment {
	case Before, Handshake, LiftedBefore:
		return nil
	case Up:
		p.client.expect(0)
		p.server.expect(whole)
		p.client.say(make([]byte, first))
		if !p.await(Patience, func() bool { return p.server.read() == first }) {
			return errors.New("the upload does not begin")
		}
	case Down, Idle, Kept, LiftedDown:
		p.client.say(request)
		if !p.await(Patience, func() bool { return p.server.read() == asked }) {
			return errors.New("the request does not arrive")
		}
		p.server.say(make([]byte, first))
		if !p.await(Patience, func() bool { return p.client.read() == first }) {
			return errors.New("the download does not begin")
		}
	}
	if k, ok := p.client.conn.(keeper); ok && p.Moment == Kept {
		if err := k.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}); err != nil {
			return err
		}
	}
	// What acknowledges it all is still on its way.
	p.await(settle, never)
	p.client.restart()
	p.server.restart()
	return nil
}

// settle is how long it takes until nothing is under way any more, a delayed
// acknowledgement included.
const settle = 100 * time.Millisecond

type keeper interface {
	SetKeepAliveConfig(net.KeepAliveConfig) error
}

func never() bool { return false }

// performance is a case that is being played.
type performance struct {
	*scene
	*Case
	want    Pair
	began   time.Time
	end     func() error
	proceed func()
}

// begin has the trouble begin.
func (p *performance) begin() (err error) {
	p.end, err = p.Trouble.befall(p.scene)
	p.began = time.Now()
	return err
}

// lift has it end, if it is to.
func (p *performance) lift() error {
	if !p.Moment.lifted() {
		return nil
	}
	p.until(lift, never)
	p.began = time.Now()
	return p.end()
}

// watch waits for what both sides are to see, and on, if there is to be silence.
func (p *performance) watch() {
	p.until(Patience, func() bool {
		o := p.outcome()
		return p.want.Client.reached(o.Client) && p.want.Server.reached(o.Server)
	})
	if p.want.Client.silent() || p.want.Server.silent() {
		p.until(max(Watch-time.Since(p.began), Watch/3), never)
	}
}

// silent reports whether nothing is to come.
func (w Want) silent() bool { return w.End == Silence || w.End == Absent }

// reached reports whether there is nothing more to wait for.
func (w Want) reached(s Seen) bool {
	return s.End.tells() >= w.End.tells() && (s.End.tells() > w.End.tells() || s.Bytes >= w.Bytes.Least)
}

// until waits until something is so, for d at most, while both sides go on.
func (p *performance) until(d time.Duration, so func() bool) {
	p.await(d, func() bool {
		if p.proceed != nil {
			p.proceed()
		}
		return so()
	})
}

// download lets whoever is connected say what is next.
func (p *performance) download() {
	select {
	case c := <-p.dialled:
		p.client = attend(c, whole, p.bell)
		p.client.say(request)
	case c := <-p.accepted:
		p.server = attend(c, 0, p.bell)
	default:
	}
	if p.server != nil && p.server.read() == asked && !p.answered {
		p.answered = true
		p.server.say(make([]byte, whole))
	}
}

// outcome is what both sides have seen by now.
func (p *performance) outcome() (o Outcome) {
	o.Client, o.Server = p.client.seen(p.began), p.server.seen(p.began)
	if p.client == nil {
		o.Client = p.dialSeen(p.began)
	}
	return o
}
