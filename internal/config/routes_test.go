package config

import (
	"slices"
	"testing"
)

func TestRouteMatches(t *testing.T) {
	tests := []struct {
		name             string
		host, path       string // the route's
		askHost, askPath string
		want             bool
	}{
		{"host", "media.example.com", "", "media.example.com", "/a", true},
		{"host in another case", "Media.Example.com", "", "mEDIA.example.COM", "/a", true},
		{"host with the root's dot", "media.example.com", "", "media.example.com.", "/a", true},
		{"another host", "media.example.com", "", "www.media.example.com", "/a", false},
		{"no host named", "media.example.com", "", "", "/a", false},
		{"IPv6", "2001:DB8::1", "", "[2001:db8:0::1]", "", true},
		{"IPv6 with a zone", "fe80::1", "", "fe80::1%eth0", "", true},
		{"IPv4 in IPv6", "192.0.2.1", "", "::ffff:192.0.2.1", "", true},
		{"host before the path is known", "a.example.com", "", "a.example.com", "", true},
		{"path", "", "/live", "any", "/live", true},
		{"path below", "", "/live", "any", "/live/news.asf", true},
		{"path with a slash at its end", "", "/live/", "any", "/live", true},
		{"path in another case", "", "/Live", "any", "/lIVE/x", true},
		{"path without its slash, as MMS has it", "", "/live", "any", "live/x", true},
		{"percent-encoded", "", "/live tv", "any", "/live%20tv/x", true},
		{"broken percent-encoding is taken as it stands", "", "/live", "any", "/live/%zz", true},
		{"query", "", "/live", "any", "/live?x=/archive", true},
		{"a longer word", "", "/live", "any", "/liverpool", false},
		{"above", "", "/live/news", "any", "/live", false},
		{"elsewhere", "", "/live", "any", "/x/live", false},
		{"every path", "", "/", "any", "/x/live", true},
		{"every path, but none known yet", "", "/", "any", "", false},
		{"both", "a.example.com", "/live", "a.example.com", "/live/x", true},
		{"only the host", "a.example.com", "/live", "a.example.com", "/x", false},
		{"only the path", "a.example.com", "/live", "b.example.com", "/live", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Route{Host: tt.host, Path: tt.path, Pool: "p"}
			if got := r.Matches(tt.askHost, tt.askPath); got != tt.want {
				t.Errorf("%+v matches host %q path %q: %v, want %v", r, tt.askHost, tt.askPath, got, tt.want)
			}
		})
	}
}

func TestProtocolsOfPools(t *testing.T) {
	c := Default()
	c.VirtualServers = []VirtualServer{
		{Protocol: ProtocolRTSP, Pool: "a", Routes: []Route{{Path: "/x", Pool: "b"}, {Path: "/y", Pool: "a"}, {Path: "/z", Pool: "b"}}},
		{Protocol: ProtocolMMS, Pool: "b"},
		{Protocol: ProtocolRTSP, Pool: "b"},
	}
	if got := c.VirtualServers[0].Pools(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("pools %q", got)
	}
	for pool, want := range map[string][]string{"a": {"rtsp"}, "b": {"mms", "rtsp"}, "c": nil} {
		if got := c.Protocols(pool); !slices.Equal(got, want) {
			t.Errorf("pool %s: protocols %q, want %q", pool, got, want)
		}
	}
}

func TestPortsOf(t *testing.T) {
	p := Ports{RTSP: 554, MMS: 1755}
	if p.Of(ProtocolRTSP) != 554 || p.Of(ProtocolMMS) != 1755 || p.Of("http") != 0 {
		t.Errorf("%d %d %d", p.Of(ProtocolRTSP), p.Of(ProtocolMMS), p.Of("http"))
	}
}
