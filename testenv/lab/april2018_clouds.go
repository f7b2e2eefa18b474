package lab

import "time"

// aprilClouds is where endpoints and tenants are. assumption: how many
// endpoints lie where, the latencies, and which tenant was where; the tenants
// are kinds of services that the press named as hit.
func aprilClouds() []CloudPlan {
	return []CloudPlan{
		{
			Name: amazon, Latency: 18 * time.Millisecond,
			Blocks: []Block{
				{one("52.58.0.0/15"), 4},
				{one("18.196.0.0/15"), 2},
				{one("18.194.0.0/15"), 2},
				{one("35.156.0.0/14"), 3},
				{one("18.184.0.0/15"), 1},
				{one("34.240.0.0/13"), 2},
				{one("35.160.0.0/13"), 1},
				{one("52.192.0.0/11"), 1},
				{one("173.194.0.0/16"), 0},
				{one(amazonFresh), 0},
			},
			Tenants: []TenantPlan{
				{"cash desks", one("52.58.0.0/15"), 9},
				{"game consoles", one("18.196.0.0/15"), 8},
				{"game consoles", one("34.240.0.0/13"), 8},
				{"live streams", one("35.156.0.0/14"), 7},
				{"live streams", one("52.192.0.0/11"), 7},
				{"team chat", one("18.194.0.0/15"), 6},
				{"calls", one("52.58.0.0/15"), 7},
				{"calls", one("35.160.0.0/13"), 7},
			},
		},
		{
			Name: google, Latency: 14 * time.Millisecond,
			Blocks: []Block{
				{one("35.192.0.0/12"), 4},
				{one("35.184.0.0/13"), 3},
				{one("35.208.0.0/12"), 3},
				{one("35.224.0.0/12"), 2},
				{one(googleFresh), 0},
			},
			Tenants: []TenantPlan{
				{"music", one("35.184.0.0/13"), 8},
				{"music", one("35.192.0.0/12"), 8},
				{"football accounts", one("35.208.0.0/12"), 3},
				{"online school", one("35.224.0.0/12"), 5},
			},
		},
		{
			Name: digitalocean, Latency: 20 * time.Millisecond,
			Blocks: []Block{{one("167.99.0.0/16"), 4}, {one("206.189.0.0/16"), 4}, {one(digitaloceanFresh), 0}},
			Tenants: []TenantPlan{
				{"team chat", one("167.99.0.0/16"), 6},
				{"online school", one("206.189.0.0/16"), 5},
			},
		},
		{
			Name: azure, Latency: 22 * time.Millisecond,
			Blocks: []Block{{one("51.136.0.0/15"), 0}, {one(azureFresh), 0}},
			Tenants: []TenantPlan{
				{"calls", one("51.136.0.0/15"), 7},
			},
		},
	}
}
