package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"mediagate/balancer"
)

func nodes(names ...string) []balancer.Node {
	var out []balancer.Node
	addr := netip.MustParseAddr("192.0.2.10")
	for _, name := range names {
		addr = addr.Next()
		out = append(out, balancer.Node{Name: name, Addr: addr, Ports: map[string]uint16{"rtsp": 554}})
	}
	return out
}

// A session acquires a node, tells when its connect failed, tries the next, and releases what it holds at its end.
func Example() {
	pool, err := balancer.New(balancer.Config{Name: "windows-media", Nodes: nodes("wms1", "wms2")})
	if err != nil {
		fmt.Println(err)
		return
	}
	var tried []string
	for {
		lease, err := pool.Acquire(balancer.Key{Service: "rtsp", Exclude: tried})
		if errors.Is(err, balancer.ErrNoNode) {
			fmt.Println("503:", err)
			return
		}
		tried = append(tried, lease.Node().Name)
		fmt.Println("connect to", lease.Node().AddrPort("rtsp"))
		lease.Failed(errors.New("connection refused"))
		lease.Release()
	}
	// Output:
	// connect to 192.0.2.11:554
	// connect to 192.0.2.12:554
	// 503: balancer: acquire from pool "windows-media": no usable node (wms1: already tried; wms2: already tried)
}

func ExamplePool_Drain() {
	pool, err := balancer.New(balancer.Config{Name: "media", Nodes: nodes("wms1", "wms2"), Policy: balancer.RoundRobin()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pool.Drain("wms1", true))
	lease, err := pool.Acquire(balancer.Key{Service: "rtsp"})
	fmt.Println(lease.Node().Name, err)
	lease.Release()
	// Output:
	// <nil>
	// wms2 <nil>
}

func ExamplePool_SetNodes() {
	pool, err := balancer.New(balancer.Config{Name: "media", Nodes: nodes("wms1", "wms2")})
	if err != nil {
		fmt.Println(err)
		return
	}
	lease, _ := pool.Acquire(balancer.Key{Service: "rtsp", Prefer: "wms2"})
	fmt.Println(pool.SetNodes(nodes("wms1"))) // a reload takes wms2 away; its session plays on
	for _, s := range pool.Snapshot() {
		fmt.Println(s.Node.Name, s.Services["rtsp"].Health, "sessions", s.Sessions, "removed", s.Removed)
	}
	lease.Release()
	fmt.Println(len(pool.Snapshot()), "node left")
	// Output:
	// <nil>
	// wms1 unknown sessions 0 removed false
	// wms2 unknown sessions 1 removed true
	// 1 node left
}

func ExamplePool_Run() {
	asked := make(chan string)
	pool, err := balancer.New(balancer.Config{
		Name: "media", Nodes: nodes("wms1"), Interval: time.Minute,
		Monitors: map[string]balancer.Monitor{"rtsp": func(_ context.Context, n balancer.Node) error {
			asked <- n.Name
			return errors.New("no answer")
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- pool.Run(ctx) }()
	fmt.Println("asked", <-asked)
	stop()
	fmt.Println(<-done, pool.Name(), pool.Addrs())
	// Output:
	// asked wms1
	// <nil> media [192.0.2.11]
}

func ExamplePolicyByName() {
	_, err := balancer.PolicyByName("fastest")
	fmt.Println(err)
	// Output:
	// balancer: policy "fastest": not one of hash-client, hash-url, least-sessions, random-two, round-robin
}

func ExamplePool_Node() {
	pool, err := balancer.New(balancer.Config{Name: "media", Nodes: nodes("wms1", "wms2")})
	if err != nil {
		fmt.Println(err)
		return
	}
	n, ok := pool.Node(netip.MustParseAddr("192.0.2.12"))
	fmt.Println(n.Name, ok)
	// Output:
	// wms2 true
}
