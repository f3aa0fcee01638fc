package rtspwire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rtpInfoTests = []struct {
	name, in string
	urls     []string
}{
	{"RFC 2326, section 12.33", "url=rtsp://a.test/twister/audio;seq=45102;rtptime=12345,url=rtsp://a.test/v;seq=1",
		[]string{"rtsp://a.test/twister/audio", "rtsp://a.test/v"}},
	{"white space, as [MS-RTSP] 2.2.7.9 has it", "url=rtsp://a.test/audio; Seq=26968, url=rtsp://a.test/video ;seq=3",
		[]string{"rtsp://a.test/audio", "rtsp://a.test/video"}},
	{"quoted URL", `url="rtsp://a.test/x,y;z";seq=1,url=rtsp://a.test/b`, []string{"rtsp://a.test/x,y;z", "rtsp://a.test/b"}},
	{"quotes around url=, [MS-RTSP] 2.2.6.27", `"url=rtsp://a.test/x,y";seq=1, "url=rtsp://a.test/b"`,
		[]string{"rtsp://a.test/x,y", "rtsp://a.test/b"}},
	{"URL with a comma and no quotes", "url=rtsp://a.test/x,y/z;seq=1,url=rtsp://a.test/b", []string{"rtsp://a.test/x,y/z", "rtsp://a.test/b"}},
	{"no url=", "rtsp://a.test/a;seq=1,rtsp://a.test/b", []string{"rtsp://a.test/a", "rtsp://a.test/b"}},
	{"relative URLs", "URL = streamid=0;seq=1 , url=streamid=1", []string{"streamid=0", "streamid=1"}},
	{"open quote", `url="rtsp://a.test/a;seq=1`, []string{`"rtsp://a.test/a`}},
	{"X-RTP-Info", "url=rtsp://a.test/a;unicast;server_port=5004-5005;ssrc=1234abcd;mode=PLAY", []string{"rtsp://a.test/a"}},
	{"nothing", "", []string{""}},
}

func TestRTPInfo(t *testing.T) {
	for _, tt := range rtpInfoTests {
		t.Run(tt.name, func(t *testing.T) {
			info := ParseRTPInfo(tt.in)
			var urls []string
			for _, e := range info {
				urls = append(urls, e.URL())
			}
			if d := cmp.Diff(tt.urls, urls); d != "" {
				t.Errorf("URLs (-want +got):\n%s", d)
			}
			if info.String() != tt.in {
				t.Errorf("left as %q", info)
			}
		})
	}
}

func TestRTPInfoEdit(t *testing.T) {
	const u = "rtsp://gw.test/n"
	for _, tt := range []struct {
		name, in string
		edit     func(*RTPInfoEntry)
		want     string
	}{
		{"URL", "url = rtsp://a.test/a ; seq=1", func(e *RTPInfoEntry) { e.SetURL(u) }, "url = " + u + " ; seq=1"},
		{"quotes stay", `"url=rtsp://a.test/a,b";seq=1`, func(e *RTPInfoEntry) { e.SetURL(u) }, `"url=` + u + `";seq=1`},
		{"quotes come when needed", `url=rtsp://a.test/a`, func(e *RTPInfoEntry) { e.SetURL(u + ";x") }, `url="` + u + `;x"`},
		{"no quotes where there were none", `url=rtsp://a.test/a,b`, func(e *RTPInfoEntry) { e.SetURL(u + ",x") }, `url=` + u + `,x`},
		{"no quote and no line end gets in", `url="a"`, func(e *RTPInfoEntry) { e.SetURL("b\"\r\nc") }, `url="b%22  c"`},
		{"port", "url=a;server_port=1-2;x", func(e *RTPInfoEntry) { e.SetParam("Server_Port", "5004") }, "url=a;server_port=5004;x"},
		{"removed", "url=a;ssrc=1;x", func(e *RTPInfoEntry) { e.DelParam("SSRC") }, "url=a;x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info := ParseRTPInfo(tt.in)
			tt.edit(info[0])
			if info.String() != tt.want {
				t.Errorf("got %q, want %q", info, tt.want)
			}
		})
	}
	e := ParseRTPInfo("url=a;client_port=5000/5001;Seq=12")[0]
	if p, ok := e.Ports("client_port"); !ok || p != (PortRange{5000, 5001, true}) {
		t.Errorf("client_port %v, %v", p, ok)
	}
	if v, ok := e.Param("seq"); v != "12" || !ok {
		t.Errorf("seq %q, %v", v, ok)
	}
}
