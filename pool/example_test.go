package pool_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// A pool of one endpoint, which a client makes use of.
func Example() {
	p, err := pool.New(pool.Config{Active: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = p.Add(policy.Spec{Host: "198.51.100.7", Port: 1080, Addr: netip.MustParseAddr("198.51.100.7")})
	if err != nil {
		fmt.Println(err)
		return
	}

	changed := p.Changed()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	<-changed // the first endpoints are in their slots

	lease := p.Lease("alice")
	for e := lease.Next(); e != nil; e = lease.Next() {
		asked := time.Now()
		fmt.Println("alice connects by way of", e.Name())
		e.Report(policy.Evidence{Phase: policy.Connect, Outcome: policy.Answered, Asked: asked, At: time.Now()})
	}

	stop()
	<-ended
	// Output: alice connects by way of 198.51.100.7:1080
}

// What happens in a pool can be watched.
func ExamplePool_Watch() {
	p, err := pool.New(pool.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	watch := p.Watch()
	defer watch.Close()
	if err := p.Add(policy.Spec{Host: "198.51.100.7", Port: 1080}); err != nil {
		fmt.Println(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	event, err := watch.Next(ctx)
	fmt.Println(event, err)

	stop()
	<-ended
	// Output: 198.51.100.7:1080: reserve -> active: taken from the reserve <nil>
}
