package rtspwire

import "testing"

var authorityTests = []struct {
	name, url, authority, swapped, path string
}{
	{"plain", "rtsp://origin.test/a?b=c#d", "origin.test", "rtsp://gw:1/a?b=c#d", "/a?b=c#d"},
	{"port", "rtspt://origin.test:554/a", "origin.test:554", "rtspt://gw:1/a", "/a"},
	{"IPv6", "RTSP://[2001:db8::1]:554/a", "[2001:db8::1]:554", "RTSP://gw:1/a", "/a"},
	{"user information stays", "rtsp://u:p@origin.test/a", "origin.test", "rtsp://u:p@gw:1/a", "/a"},
	{"two at signs", "rtsp://u@x:p@origin.test/a", "origin.test", "rtsp://u@x:p@gw:1/a", "/a"},
	{"at sign in the path", "rtsp://origin.test/a@b", "origin.test", "rtsp://gw:1/a@b", "/a@b"},
	{"no path", "rtsp://origin.test", "origin.test", "rtsp://gw:1", ""},
	{"query without a path", "rtsp://origin.test?x=rtsp://y", "origin.test", "rtsp://gw:1?x=rtsp://y", "?x=rtsp://y"},
	{"escapes stay", "rtsp://origin.test/%7e%41//..", "origin.test", "rtsp://gw:1/%7e%41//..", "/%7e%41//.."},
	{"relative", "trackID=1", "", "trackID=1", "trackID=1"},
	{"relative with a URL in it", "/a?u=rtsp://x/y", "", "/a?u=rtsp://x/y", "/a?u=rtsp://x/y"},
	{"asterisk", "*", "", "*", ""},
	{"empty authority", "rtsp:///a", "", "rtsp:///a", "/a"},
	{"backslash", `rtsp://good.test\@evil.test/a`, "", `rtsp://good.test\@evil.test/a`, "/a"},
	{"nothing", "", "", "", ""},
}

func TestAuthority(t *testing.T) {
	for _, tt := range authorityTests {
		t.Run(tt.name, func(t *testing.T) {
			start, end, ok := Authority(tt.url)
			if got := tt.url[start:end]; got != tt.authority || ok != (tt.authority != "") {
				t.Errorf("authority %q, %v", got, ok)
			}
			if got := SwapAuthority(tt.url, "gw:1"); got != tt.swapped {
				t.Errorf("swapped %q", got)
			}
			if got := URLPath(tt.url); got != tt.path {
				t.Errorf("path %q", got)
			}
		})
	}
}

func TestSplitHostPort(t *testing.T) {
	for _, tt := range []struct {
		in, host string
		port     uint16
		ok       bool
	}{
		{"origin.test", "origin.test", 0, true},
		{"origin.test:554", "origin.test", 554, true},
		{"origin.test:", "origin.test", 0, true},
		{"[::1]:65535", "::1", 65535, true},
		{"[::1]", "::1", 0, true},
		{"::1", "", 0, false},
		{"[::1", "", 0, false},
		{"[::1]554", "", 0, false},
		{"[]:1", "", 0, false},
		{":554", "", 0, false},
		{"a:65536", "", 0, false},
		{"a:+1", "", 0, false},
		{"a:rtsp", "", 0, false},
		{"", "", 0, false},
	} {
		host, port, ok := SplitHostPort(tt.in)
		if ok != tt.ok || ok && (host != tt.host || port != tt.port) {
			t.Errorf("%q: %q, %d, %v", tt.in, host, port, ok)
		}
	}
}
