package scenario

import (
	"errors"
	"slices"

	"github.com/paperplane-relay/paperplane/testenv"
)

// happen does what an event says, as it begins.
func (t *Stage) happen(e *Event) (d Deed) {
	for _, b := range e.Launch {
		hosts, err := t.launch(b)
		d.Launched = append(d.Launched, hosts...)
		d.Err = errors.Join(d.Err, err)
	}
	for _, name := range e.Cut {
		t.named(name).Cut()
	}
	for _, s := range e.Stop {
		d.Stopped = append(d.Stopped, t.halt(s, (*testenv.Host).Stop)...)
	}
	for _, s := range e.Hang {
		d.Stopped = append(d.Stopped, t.halt(s, (*testenv.Host).Hang)...)
	}
	for _, s := range e.Retire {
		d.Retired = append(d.Retired, t.mark(s, t.retired)...)
	}
	if e.For > 0 {
		t.halted[e] = d.Stopped
	}
	return d
}

// end does what follows when an event is over.
func (t *Stage) end(e *Event) (d Deed) {
	for _, name := range e.Cut {
		t.named(name).Restore()
	}
	for _, h := range t.halted[e] {
		// It may have been released meanwhile.
		if err := h.Start(); err == nil {
			d.Started = append(d.Started, h)
		}
		t.mu.Lock()
		delete(t.stopped, h)
		t.mu.Unlock()
	}
	delete(t.halted, e)
	return d
}

func (t *Stage) named(isp string) *testenv.ISP {
	return t.ISPs[slices.IndexFunc(t.ISPs, func(i *testenv.ISP) bool { return i.Name() == isp })]
}

// halt stops a cloud's endpoints that run, the oldest first.
func (t *Stage) halt(s Some, how func(*testenv.Host)) []*testenv.Host {
	hosts := t.mark(s, t.stopped)
	for _, h := range hosts {
		how(h)
	}
	return hosts
}

// mark notes something of so many of a cloud's endpoints of which it does not
// hold yet, the oldest first, and returns them.
func (t *Stage) mark(s Some, marks map[*testenv.Host]bool) (hosts []*testenv.Host) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.endpoints {
		if h.Spec().Provider == s.Cloud && !marks[h] && (s.Count == 0 || len(hosts) < s.Count) {
			marks[h] = true
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// release gives back all endpoints in a cloud.
func (t *Stage) release(cloud string) (hosts []*testenv.Host) {
	t.mu.Lock()
	t.endpoints = slices.DeleteFunc(t.endpoints, func(h *testenv.Host) bool {
		leaves := h.Spec().Provider == cloud
		if leaves {
			hosts = append(hosts, h)
			delete(t.stopped, h)
			delete(t.retired, h)
			delete(t.up, h)
		}
		return leaves
	})
	t.mu.Unlock()
	for _, h := range hosts {
		h.Release()
	}
	return hosts
}
