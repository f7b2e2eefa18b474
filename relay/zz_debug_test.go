package relay_test
import ("testing";"time"
"github.com/paperplane-relay/paperplane/testenv/blocker")
func TestZZ(t *testing.T) {
	inArena(t, options{suite: suites()[0], active: 16, path: "/64k"}, func(a *arena) {
		h := a.victim()
		a.isp.Add(against(blocker.Freeze(16<<10), h))
		start:=time.Now()
		time.Sleep(9*time.Second)
		for _, d := range a.dials { if d.to == h.Spec().Address() && d.at.After(start) { t.Log(d.at.Sub(a.began), d.by) } }
for _, ev := range a.events { if ev.At.After(start) { t.Log(ev.At.Sub(a.began), ev) } }
 for _,h:=range a.world.Ledger().Hits { t.Log(h.First.Sub(a.began), h.Client, h.Server, h.Kind, h.Packets)}
})
}
