package gateway

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mediagate/internal/config"
	"mediagate/mms"
	"mediagate/rtsp"
)

// parse is a configuration with the pools p, q and hashed (policy hash-url), and these virtual servers.
func parse(t *testing.T, servers string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte("virtual_servers:\n"+servers+`
pools:
  - {name: p, nodes: [{name: n1, address: 192.0.2.11, ports: {rtsp: 8554, mms: 11755}, weight: 3}]}
  - {name: q, monitor: {interval: 0s}, nodes: [{name: n1, address: 192.0.2.12}]}
  - {name: hashed, policy: hash-url, nodes: [{name: n1, address: 192.0.2.13}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Sessions.Log = ""
	return cfg
}

func TestRouter(t *testing.T) {
	const vs = "  - {name: v, protocol: mms, listen: ':1755', pool: p, routes: ["
	for _, tc := range []struct {
		name, routes, host, path string
		pool                     string
		byPath                   bool
	}{
		{"none", "", "gw.test", "/a", "p", false},
		{"by host", "{host: q.test, pool: q}", "Q.test", "/a", "q", false},
		{"by host, another", "{host: q.test, pool: q}", "gw.test", "/a", "p", false},
		{"by path", "{path: /live, pool: q}", "gw.test", "live/a.asf", "q", true},
		{"by path, not known yet", "{path: /live, pool: q}", "gw.test", "", "p", true},
		{"the first counts", "{path: /live, host: gw.test, pool: hashed}, {path: /live, pool: q}", "gw.test", "/live", "hashed", true},
		{"the second", "{path: /live, host: x.test, pool: hashed}, {path: /live, pool: q}", "gw.test", "/live", "q", true},
		{"a pool that hashes the URL", "{host: h.test, pool: hashed}", "gw.test", "/a", "p", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := parse(t, vs+tc.routes+"]}")
			g, err := New(cfg, Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := g.newRouter(&cfg.VirtualServers[0])
			if err != nil {
				t.Fatal(err)
			}
			if got := r.route(tc.host, tc.path).Name(); got != tc.pool || r.byPath != tc.byPath {
				t.Errorf("pool %s, by path %v; want %s, %v", got, r.byPath, tc.pool, tc.byPath)
			}
		})
	}
}

func TestPoolThatIsNotThere(t *testing.T) {
	for _, spoil := range []func(*config.VirtualServer){
		func(vs *config.VirtualServer) { vs.Pool = "x" },
		func(vs *config.VirtualServer) { vs.Routes = []config.Route{{Path: "/", Pool: "x"}} },
		func(vs *config.VirtualServer) { vs.Protocol = "x" },
	} {
		cfg := parse(t, "  - {name: v, protocol: rtsp, listen: ':554', pool: p}")
		spoil(&cfg.VirtualServers[0])
		if _, err := New(cfg, Options{}); err == nil {
			t.Errorf("%+v was built", cfg.VirtualServers[0])
		}
	}
}

func TestNodesOfBothServices(t *testing.T) {
	g, err := New(parse(t, "  - {name: v, protocol: rtsp, listen: ':554', pool: p}"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := g.Nodes()["p"][0]
	if got := s.Node.AddrPort(rtsp.Service); got != netip.MustParseAddrPort("192.0.2.11:8554") {
		t.Errorf("rtsp at %v", got)
	}
	if got := s.Node.AddrPort(mms.Service); got != netip.MustParseAddrPort("192.0.2.11:11755") {
		t.Errorf("mms at %v", got)
	}
	if s.Node.Weight != 3 || len(s.Services) != 3 {
		t.Errorf("%+v", s)
	}
}

func TestMonitorsByProtocol(t *testing.T) {
	for _, tc := range []struct {
		protocols []string
		want      []string
	}{{nil, nil}, {[]string{"rtsp"}, []string{"rtsp"}}, {[]string{"mms", "rtsp"}, []string{"mms", "rtsp"}}} {
		got := slices.Sorted(maps.Keys(newMonitors(&config.Monitor{Timeout: config.Duration(time.Second)}, tc.protocols)))
		if !slices.Equal(got, tc.want) {
			t.Errorf("%q: monitors %q", tc.protocols, got)
		}
	}
}

// Each timeout and limit of the file reaches the proxies, none in another's place.
func TestMaps(t *testing.T) {
	c := config.Timeouts{FirstRequest: 1, Message: 2, Connect: 3, Response: 4, Write: 5, Idle: 6, Drain: 7}
	if got, want := rtspTimeouts(&c), (rtsp.Timeouts{FirstRequest: 1, Message: 2, Connect: 3, Response: 4, Write: 5, Idle: 6}); got != want {
		t.Errorf("rtsp: %+v", got)
	}
	if got, want := mmsTimeouts(&c), (mms.Timeouts{FirstRequest: 1, Message: 2, Connect: 3, Response: 4, Write: 5, Idle: 6}); got != want {
		t.Errorf("mms: %+v", got)
	}
	l := config.Limits{Line: 1, Field: 2, Header: 3, Fields: 4, Body: 5, Garbage: 6}
	if got, want := rtspLimits(&l), (rtsp.Limits{Line: 1, Field: 2, Header: 3, Fields: 4, Body: 5, Garbage: 6}); got != want {
		t.Errorf("limits: %+v", got)
	}
}
