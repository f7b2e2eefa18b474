package compat

import "github.com/paperplane-relay/paperplane/testenv/study/draw"

// luck is all that is decided by lot. The entities are users and proxies by the order
// of their creation, and steps, which no policy changes.
type luck struct {
	users, proxies         draw.Key // how many arrive, by step
	agents                 draw.Key // who is an agent, by user
	userPlaces, places     draw.Key // locations or NATs, by user and by proxy
	returns                draw.Key // who of those that arrive returns, by step and place in the line
	usersStay, proxiesStay draw.Key // for how long, by user and visit, and by proxy
	censor, distributor    draw.Key // what they draw, by step
}

func newLuck(seed uint64) luck {
	key := func(concern string) draw.Key { return draw.For(seed, "compat/"+concern) }
	return luck{
		users: key("users"), proxies: key("proxies"), agents: key("agents"),
		userPlaces: key("user places"), places: key("proxy places"), returns: key("returns"),
		usersStay: key("users stay"), proxiesStay: key("proxies stay"),
		censor: key("censor"), distributor: key("distributor"),
	}
}

// arrivals is how many arrive in a step.
func arrivals(key draw.Key, step int, mean float64) int {
	s := key.At(uint64(step), 0)
	return s.Poisson(mean)
}

// some moves a random choice of k to the front.
func some(s *draw.Stream, of []int32, k int) []int32 {
	for i := range k {
		j := i + s.Below(len(of)-i)
		of[i], of[j] = of[j], of[i]
	}
	return of[:k]
}
