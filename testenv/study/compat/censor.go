package compat

// chosen are the proxies that the censor blocks in this step, among those that its
// agents hold.
func (d *dynamic) chosen() []int32 {
	known := d.shown[:0]
	for _, id := range d.shown {
		if !d.proxies[id].blocked {
			known = append(known, id)
		}
	}
	d.shown = known
	s := d.luck.censor.At(uint64(d.step), 0)
	switch d.Censor {
	case Aggressive:
		return known
	case Conservative:
		return some(&s, known, int(d.Fraction*float64(len(known))))
	case Greedy:
		// Nobody holds two proxies that are not blocked: what one block cuts off, and
		// what it costs, does not depend on the others, and so not on their order.
		var list []int32
		for _, id := range known {
			if float64(d.proxies[id].users) > d.Caution*d.cost(id) {
				list = append(list, id)
			}
		}
		return list
	case Null:
	}
	return nil
}

// cost is what its agents' values lose by the block of a proxy.
func (d *dynamic) cost(id int32) (sum float64) {
	for h := d.proxies[id].holders; h != never; h = d.held[h].next {
		if d.agent[d.held[h].user] {
			sum += d.Weights.BlockedUse*float64(d.step-d.held[h].since) + d.Weights.Blocked
		}
	}
	return sum
}
