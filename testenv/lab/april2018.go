package lab

import (
	"net/netip"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// April2018 is the fortnight in which a regulator tried to block a messenger by
// listing the address space of the clouds that it ran in.
//
// Dates, totals and the prefixes of the first days are from the press and from a
// public list of those days. Which prefix fell at which hour is not known, only
// the totals: the hours are an assumption throughout. So is everything marked
// so below.
func April2018() Scenario {
	return Scenario{
		Title:  "April 2018",
		Clock:  aprilClock(),
		Clouds: aprilClouds(),
		ISPs: []ISPPlan{
			// assumption: latencies, lags and users. By law an operator had 24
			// hours to apply the list; large ones were faster.
			{Name: "mts", Latency: 6 * time.Millisecond, Lag: 0, Users: 78},
			{Name: "megafon", Latency: 8 * time.Millisecond, Lag: .008, Users: 75},
			{Name: "regional", Latency: 15 * time.Millisecond, Lag: .03, Users: 5},
		},
		Acts: aprilActs(),
	}
}

// aprilClock gives most of the run to the first two days.
func aprilClock() Clock {
	return Clock{
		{0, april(16, 11, 0)},
		{.28, april(17, 0, 0)},
		{.60, april(18, 0, 0)},
		{.80, april(20, 0, 0)},
		{.93, april(28, 0, 0)},
		{1, april(29, 0, 0)},
	}
}

// april is a date in Moscow in April 2018.
func april(day, hour, minute int) time.Time {
	return time.Date(2018, time.April, day, hour, minute, 0, 0, time.FixedZone("MSK", 3*60*60))
}

// at is the prefixes in a list that is separated by blanks. It panics if one of
// them is none: they are constants of this package, and its tests read them all.
func at(list string) []netip.Prefix {
	var ps []netip.Prefix
	for p := range strings.FieldsSeq(list) {
		ps = append(ps, netip.MustParsePrefix(p))
	}
	return ps
}

// one is a single prefix.
func one(p string) netip.Prefix { return netip.MustParsePrefix(p) }

// The names of the clouds, and the prefixes that the list of those days does
// not have: fresh addresses are to be had there. assumption: that these stayed
// unlisted.
const (
	amazon       = "amazon"
	google       = "google"
	digitalocean = "digitalocean"
	azure        = "azure"

	amazonFresh       = "3.120.0.0/14"
	googleFresh       = "104.196.0.0/14"
	digitaloceanFresh = "138.68.0.0/16"
	azureFresh        = "40.112.0.0/13"
)

// aprilActs is the blocker's diary, with the answers of the service.
//
// Totals as published: 655,360 on 04-16; 1.8 and 2.5 million in the night; 16
// million on 04-17, at the peak 19 to 20, cut back to 16; about 130,000 more on
// 04-18; 18.9 million with Azure on 04-19; nearly 18 from 04-22.
func aprilActs() []Act {
	return []Act{
		// The service's own four subnets, about 9,000 addresses. assumption:
		// which four; the list of those days has two of them.
		{
			At: april(16, 12, 0), List: at("149.154.160.0/20 91.108.4.0/22 91.108.8.0/21 91.108.56.0/22"),
			Note: "blocker lists the messenger's own subnets",
		},

		// 655,360 addresses of Amazon in four prefixes. assumption: that some
		// were reset, not dropped, and that flows to one froze, which is a
		// custom of later years.
		{At: april(16, 15, 0), List: at("18.196.0.0/15"), Do: blocker.Reset()},
		{At: april(16, 17, 10), List: at("52.58.0.0/15")},
		{At: april(16, 19, 0), List: at("18.194.0.0/15"), Do: blocker.Reset()},
		{At: april(16, 20, 0), Push: []Push{{google, one("35.224.0.0/12"), 2}, {digitalocean, one("206.189.0.0/16"), 1}}},
		{At: april(16, 20, 40), List: at("35.156.0.0/14"), Do: blocker.Freeze(16 << 10)},
		{At: april(16, 22, 30), Hunt: 3},
		// One address comes from what is listed already: born blocked.
		{At: april(16, 23, 20), Push: []Push{{amazon, one("52.58.0.0/15"), 1}, {google, one("35.208.0.0/12"), 2}}},

		// 1.8 million, then 2.5.
		{At: april(17, 1, 30), List: at("35.192.0.0/12 35.178.0.0/15")},
		{At: april(17, 4, 0), List: at("35.184.0.0/13 18.184.0.0/15"), Do: blocker.Reset()},
		{At: april(17, 5, 0), Push: []Push{{digitalocean, one("167.99.0.0/16"), 3}, {amazon, one("18.196.0.0/15"), 1}}},
		{At: april(17, 7, 30), Hunt: 3, Do: blocker.Reset()},
		{At: april(17, 9, 30), Push: []Push{{digitalocean, one("206.189.0.0/16"), 3}, {amazon, one(amazonFresh), 1}}},

		// 16 million: everything else that the list of those days has.
		{At: april(17, 11, 0), List: at("34.192.0.0/10 34.240.0.0/13 34.248.0.0/13 35.160.0.0/13")},
		{At: april(17, 13, 0), List: at("35.208.0.0/12 35.224.0.0/12")},
		{At: april(17, 14, 0), Push: []Push{{google, one(googleFresh), 3}, {amazon, one("35.156.0.0/14"), 1}}},
		{At: april(17, 15, 0), List: at("52.192.0.0/11 52.64.0.0/12 54.144.0.0/12 54.160.0.0/12 54.228.0.0/15")},
		// assumption: 52.48.0.0/14 and 54.72.0.0/13, for what is missing to
		// 16 million.
		{At: april(17, 16, 0), List: at(`13.125.0.0/16 13.56.0.0/14 18.130.0.0/16 35.180.0.0/16 52.56.0.0/16 52.57.0.0/16
			68.171.224.0/19 74.82.64.0/19 103.246.200.0/22 178.239.88.0/21 203.104.128.0/20 203.104.144.0/21 203.104.152.0/22
			52.48.0.0/14 54.72.0.0/13`), Note: "blocker lists 15 more: 16 million"},
		{At: april(17, 17, 0), Push: []Push{{amazon, one(amazonFresh), 2}, {digitalocean, one("206.189.0.0/16"), 2}}},
		{At: april(17, 18, 30), Hunt: 3},
		// assumption: the prefixes of the peak.
		{At: april(17, 20, 0), List: at("52.0.0.0/12 52.16.0.0/12 54.80.0.0/12"), Note: "blocker lists 3 more: the peak"},
		{At: april(17, 21, 0), Push: []Push{{digitalocean, one("167.99.0.0/16"), 2}, {google, one("35.192.0.0/12"), 1}}},
		{At: april(17, 23, 0), Strike: at("52.0.0.0/12 52.16.0.0/12 54.80.0.0/12")},

		// About 130,000 more.
		{At: april(18, 3, 0), Push: []Push{{azure, one("51.136.0.0/15"), 4}}},
		{At: april(18, 9, 0), List: at("167.99.0.0/16")},
		{At: april(18, 12, 0), Push: []Push{{digitalocean, one(digitaloceanFresh), 3}, {amazon, one("34.240.0.0/13"), 1}}},
		{At: april(18, 16, 0), List: at("206.189.0.0/16"), Do: blocker.Reset()},
		{At: april(18, 21, 0), Hunt: 3},
		{At: april(19, 1, 0), Push: []Push{{azure, one("51.136.0.0/15"), 2}, {google, one(googleFresh), 2}}},

		// Azure, 18.9 million in all. assumption: the other prefixes.
		{At: april(19, 9, 0), List: at("51.136.0.0/15 52.0.0.0/12 52.16.0.0/12 54.80.0.0/14 54.84.0.0/15 54.86.0.0/16")},
		{At: april(19, 14, 0), Push: []Push{{azure, one(azureFresh), 3}, {digitalocean, one("167.99.0.0/16"), 1}}},
		{At: april(19, 20, 0), Hunt: 3, Do: blocker.Freeze(16 << 10)},
		{At: april(20, 8, 0), Push: []Push{{amazon, one(amazonFresh), 2}, {digitalocean, one(digitaloceanFresh), 2}}},
		{At: april(21, 12, 0), Hunt: 3},

		// Some of Google's own addresses, nearly 18 million in all.
		// assumption: the prefixes that came and went.
		{
			At: april(22, 18, 0), List: at("64.233.160.0/19 173.194.0.0/16"), Strike: at("52.0.0.0/12"),
			Note: "blocker lists addresses of Google itself",
		},
		{At: april(23, 18, 0), Push: []Push{{azure, one(azureFresh), 2}, {google, one(googleFresh), 2}}},
		{At: april(25, 0, 0), Hunt: 3, Do: blocker.Reset()},
		{At: april(26, 12, 0), Push: []Push{{digitalocean, one(digitaloceanFresh), 2}, {amazon, one(amazonFresh), 1}}},

		// Over 180 addresses of Yandex, VK and others, for about two hours.
		// assumption: the addresses.
		{At: april(27, 23, 0), List: at("87.240.129.0/25 77.88.55.0/26"), Note: "blocker lists 192 addresses of Yandex and VK"},
		{At: april(28, 2, 0), Strike: at("87.240.129.0/25 77.88.55.0/26")},

		// Three hosters' subnets. assumption: whose.
		{At: april(28, 8, 0), Strike: at("167.99.0.0/16 206.189.0.0/16 51.136.0.0/15")},
	}
}
