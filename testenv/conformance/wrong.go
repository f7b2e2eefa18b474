package conformance

import "fmt"

// Wrong tells of each way in which a backend did not do what is said of it.
func (r *Report) Wrong() (wrong []string) {
	note := func(name, backend, how string) {
		if how != "" {
			wrong = append(wrong, fmt.Sprintf("%s, %s: %s", name, backend, how))
		}
	}
	for _, p := range r.Cases {
		if p.Memory != nil {
			note(p.Case.Name(), "memory", p.Case.differs(*p.Memory, false))
		}
		if p.Kernel != nil {
			note(p.Case.Name(), "kernel", p.Case.differs(*p.Kernel, true))
		}
	}
	for _, p := range r.Errors {
		if p.Memory != nil {
			note(p.Case.Name, "memory", p.Case.differs(p.Memory))
		}
		if p.Kernel != nil {
			note(p.Case.Name, "kernel", p.Case.differs(p.Kernel))
		}
	}
	for _, p := range r.Flows {
		for backend, f := range map[string]*Flows{"memory": p.Memory, "kernel": p.Kernel} {
			if f != nil {
				note(p.Case.Name, backend, p.Case.differs(*f))
			}
		}
	}
	for _, p := range r.Losses {
		if p.Memory != nil {
			note(p.Case.Name(), "memory", p.Case.differs(p.Memory, false))
		}
		if p.Kernel != nil {
			note(p.Case.Name(), "kernel", p.Case.differs(p.Kernel, true))
		}
	}
	return wrong
}
