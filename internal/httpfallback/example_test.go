package httpfallback_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"mediagate/balancer"
	"mediagate/internal/httpfallback"
	"mediagate/internal/sessionlog"
)

// A Proxy in front of one origin: a player describes a file and goes.
func Example() {
	node, err := net.Listen("tcp", "127.0.0.132:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	origin := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ms.wms-hdr.asfv1")
		w.Header().Set("Pragma", "no-cache, client-id=1")
		io.WriteString(w, "$H\x04\x00head")
	})}
	go origin.Serve(node) // ends with Close
	defer origin.Close()

	at := netip.MustParseAddrPort(node.Addr().String())
	n := balancer.Node{Name: "wms1", Addr: at.Addr(), Ports: map[string]uint16{httpfallback.Service: at.Port()}}
	fmt.Println(httpfallback.NewProbe(5*time.Second, "/a.wmv")(context.Background(), n))
	pool, err := balancer.New(balancer.Config{Name: "web", Nodes: []balancer.Node{n}})
	if err != nil {
		fmt.Println(err)
		return
	}
	proxy, err := httpfallback.New(httpfallback.Config{
		VirtualServer: "HTTP", Pool: pool,
		Record:   func(r *sessionlog.Record) { fmt.Println(r.End, r.Node, r.Requests, r.Why) },
		Announce: func(host, path string) []string { return []string{"rtspu://" + host + path, "http://" + host + path} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	front, err := net.Listen("tcp", "127.0.0.133:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- proxy.Serve(front) }()

	for _, path := range []string{"/a.wmv", "/announce/a.wmv.asx"} {
		req, _ := http.NewRequest(http.MethodGet, "http://"+front.Addr().String()+path, http.NoBody)
		req.Host, req.Close = "media.test", true
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Printf("%d %s %q\n", res.StatusCode, res.Header.Get("Pragma"), body)
	}
	fmt.Println(proxy.Sessions(), "session waits for its player's next request")
	fmt.Println(proxy.Shutdown(context.Background()), <-served, proxy.Close())
	// Output:
	// <nil>
	// 200 no-cache, client-id=1 "$H\x04\x00head"
	// 200  "<ASX VERSION=\"3.0\">\r\n<ENTRY>\r\n<REF HREF=\"rtspu://media.test/a.wmv\" />\r\n<REF HREF=\"http://media.test/a.wmv\" />\r\n</ENTRY>\r\n</ASX>\r\n"
	// 1 session waits for its player's next request
	// -D wms1 1 the player asked and went
	// <nil> httpfallback: proxy closed <nil>
}
