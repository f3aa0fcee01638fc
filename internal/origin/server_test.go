package origin

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/google/go-cmp/cmp"

	"mediagate/internal/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Quiet(m)) }

// serve runs an origin for the test, at an address of its own: its media port is one for all.
func serve(t *testing.T, address string, cfg Config) *Server {
	t.Helper()
	cfg.Listen = netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// client is a hand-written one.
type client struct {
	t    *testing.T
	tcp  net.Conn
	br   *bufio.Reader
	cseq int
	root string
	id   string
}

func dial(t *testing.T, s *Server) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.Addr().Addr(), 0))}
	tcp, err := d.DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() }) // some tests have closed it
	_ = tcp.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t: t, tcp: tcp, br: bufio.NewReader(tcp), root: strings.TrimSuffix(s.URL(""), "/")}
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := c.tcp.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// read is the next response; frames before it are passed over.
func (c *client) read() *base.Response {
	c.t.Helper()
	for {
		if b, err := c.br.Peek(1); err == nil && b[0] == '$' {
			var f base.InterleavedFrame
			if err := f.Unmarshal(c.br); err != nil {
				c.t.Fatal(err)
			}
			continue
		}
		var res base.Response
		if err := res.Unmarshal(c.br); err != nil {
			c.t.Fatal(err)
		}
		return &res
	}
}

// do sends a request with fields like "Name: value" and reads the answer.
func (c *client) do(method, path, body string, fields ...string) *base.Response {
	c.t.Helper()
	c.cseq++
	head := fmt.Sprintf("%s %s%s RTSP/1.0\r\nCSeq: %d\r\n", method, c.root, path, c.cseq)
	if c.id != "" {
		head += "Session: " + c.id + "\r\n"
	}
	if body != "" {
		head += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	for _, f := range fields {
		head += f + "\r\n"
	}
	c.write(head + "\r\n" + body)
	res := c.read()
	if got := first(res.Header, "CSeq"); got != strconv.Itoa(c.cseq) {
		c.t.Fatalf("%s: CSeq %q, want %d", method, got, c.cseq)
	}
	if id := sessionID(first(res.Header, "Session")); id != "" {
		c.id = id
	}
	return res
}

// setup is a SETUP.
func (c *client) setup(control, transport string) *base.Response {
	return c.do("SETUP", "/sample.wmv/"+control, "", "Transport: "+transport)
}

func TestStatus(t *testing.T) {
	s := serve(t, "127.0.0.20", Config{})
	const udp, tcp = "RTP/AVP/UDP;unicast;client_port=", "RTP/AVP/TCP;unicast;interleaved=0-1"
	setup := func(control, transport string) func(*client) *base.Response {
		return func(c *client) *base.Response { return c.setup(control, transport) }
	}
	for _, c := range []struct {
		name   string
		before []func(*client) *base.Response
		do     func(*client) *base.Response
		want   int
	}{
		{"options", nil, func(c *client) *base.Response { return c.do("OPTIONS", "/", "") }, 200},
		{"describe", nil, func(c *client) *base.Response { return c.do("DESCRIBE", "/sample.wmv", "") }, 200},
		{"describe nothing", nil, func(c *client) *base.Response { return c.do("DESCRIBE", "/nothing.wmv", "") }, 404},
		{"describe a stream", nil, func(c *client) *base.Response { return c.do("DESCRIBE", "/sample.wmv/audio", "") }, 404},
		{"describe for html", nil, func(c *client) *base.Response { return c.do("DESCRIBE", "/sample.wmv", "", "Accept: text/html") }, 406},
		{"unknown method", nil, func(c *client) *base.Response { return c.do("REDIRECT", "/sample.wmv", "") }, 501},
		{"announce", nil, func(c *client) *base.Response { return c.do("ANNOUNCE", "/sample.wmv", "") }, 405},
		{"play without session", nil, func(c *client) *base.Response { return c.do("PLAY", "/sample.wmv", "") }, 454},
		{"unknown session", nil, func(c *client) *base.Response { c.id = "17"; return c.do("PLAY", "/sample.wmv", "") }, 454},
		{"long session", nil, func(c *client) *base.Response { c.id = strings.Repeat("1", 21); return c.do("OPTIONS", "/", "") }, 454},
		{"wrong entry", nil, func(c *client) *base.Response { return c.do("DESCRIBE", "/sample.wmv", "", "X-Playlist-Gen-Id: 9") }, 412},
		{"setup of all", nil, func(c *client) *base.Response { return c.do("SETUP", "/sample.wmv", "", "Transport: "+tcp) }, 404},
		{"setup of no stream", nil, setup("other", tcp), 404},
		{"setup without transport", nil, setup("audio", ""), 461},
		{"multicast", nil, setup("audio", "RTP/AVP;multicast"), 461},
		{"third party", nil, setup("audio", udp+"4000;destination=192.0.2.1"), 403},
		{"unknown profile, then known", nil, setup("audio", "x-pn-tng;client_port=1,"+udp+"4000"), 200},
		{"rtx over tcp", nil, setup("rtx", tcp), 461},
		{"rtx late", []func(*client) *base.Response{setup("audio", udp+"4000")}, setup("rtx", udp+"4002-4003"), 461},
		{"rtx port again", []func(*client) *base.Response{setup("rtx", udp+"4002-4003")}, setup("audio", udp+"4002"), 461},
		{"ports differ", []func(*client) *base.Response{setup("audio", udp+"4000")}, setup("video", udp+"4004"), 461},
		{"ports equal", []func(*client) *base.Response{setup("audio", udp+"4000")}, setup("video", udp+"4000"), 200},
		{"udp and tcp", []func(*client) *base.Response{setup("audio", udp+"4000")}, setup("video", tcp), 461},
		{"packet pair without rtx", []func(*client) *base.Response{setup("audio", udp+"4000")}, func(c *client) *base.Response {
			return c.do("SET_PARAMETER", "/sample.wmv", "type: high-entropy-packetpair", "Content-Type: application/x-rtsp-udp-packetpair")
		}, 455},
		{"pause before play", []func(*client) *base.Response{setup("audio", tcp)}, func(c *client) *base.Response { return c.do("PAUSE", "/sample.wmv", "") }, 455},
		{"bad range", []func(*client) *base.Response{setup("audio", tcp)}, func(c *client) *base.Response {
			return c.do("PLAY", "/sample.wmv", "", "Range: npt=x-")
		}, 457},
		{"keep-alive", []func(*client) *base.Response{setup("audio", tcp)}, func(c *client) *base.Response { return c.do("GET_PARAMETER", "/sample.wmv", "") }, 200},
		{"switch", []func(*client) *base.Response{setup("audio", tcp)}, func(c *client) *base.Response {
			return c.do("SET_PARAMETER", "/sample.wmv/audio", "SSEntry: 2 2 1\r\n", "Content-Type: application/x-wms-streamswitch")
		}, 200},
		{"teardown of a stream", []func(*client) *base.Response{setup("audio", tcp)}, func(c *client) *base.Response {
			return c.do("TEARDOWN", "/sample.wmv/audio", "")
		}, 200},
		{"teardown of no stream", []func(*client) *base.Response{setup("audio", tcp)}, func(c *client) *base.Response {
			return c.do("TEARDOWN", "/sample.wmv/video", "")
		}, 404},
		{"teardown", []func(*client) *base.Response{setup("audio", tcp)}, func(c *client) *base.Response { return c.do("TEARDOWN", "/sample.wmv", "") }, 200},
		{"no CSeq", nil, func(c *client) *base.Response { c.write("OPTIONS * RTSP/1.0\r\n\r\n"); return c.read() }, 400},
		{"other version", nil, func(c *client) *base.Response { c.write("OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n"); return c.read() }, 505},
		{"no RTSP", nil, func(c *client) *base.Response { c.write("hello there\r\n\r\n"); return c.read() }, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := dial(t, s)
			for _, b := range c.before {
				if res := b(k); res.StatusCode != 200 {
					t.Fatalf("before: %d", res.StatusCode)
				}
			}
			res := c.do(k)
			if int(res.StatusCode) != c.want || first(res.Header, "Server") != serverName {
				t.Errorf("%d %v, want %d", res.StatusCode, res.Header, c.want)
			}
		})
	}
}

func TestTransportReply(t *testing.T) {
	s := serve(t, "127.0.0.21", Config{})
	c := dial(t, s)
	for _, x := range []struct{ control, ask, want string }{
		{"rtx", "RTP/AVP/UDP;unicast;client_port=4002-4003;ssrc=16a4ffff;mode=PLAY", "RTP/AVP/UDP;unicast;server_port=5004-5005;client_port=4002-4003"},
		{"audio", "RTP/AVP/UDP;unicast;client_port=4000", "RTP/AVP/UDP;unicast;server_port=5004;client_port=4000"},
		{"video", "RTP/AVP;unicast;client_port=4000", "RTP/AVP/UDP;unicast;server_port=5004;client_port=4000"},
	} {
		got, _, _ := strings.Cut(first(c.setup(x.control, x.ask).Header, "Transport"), ";ssrc=")
		if got != x.want {
			t.Errorf("%s: transport %q, want %q", x.control, got, x.want)
		}
	}
	if v := c.id; v == "" || len(v) > maxSessionID {
		t.Errorf("session %q", v)
	}
}

// TestResend loses nothing but asks for the same packets again and compares them bit by bit.
func TestResend(t *testing.T) {
	s := serve(t, "127.0.0.22", Config{Speed: 20, DropEvery: 2})
	c := dial(t, s)
	rtp, rtx := udp(t, s), udp(t, s)
	res := c.setup("rtx", fmt.Sprintf("RTP/AVP/UDP;unicast;client_port=%d-%d", port(rtx), port(rtx)+1))
	_, text, _ := strings.Cut(first(res.Header, "Transport"), ";ssrc=")
	ssrc, err := strconv.ParseUint(text[:8], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	res = c.do("SET_PARAMETER", "/sample.wmv", "type: high-entropy-packetpair", "Content-Type: application/x-rtsp-udp-packetpair")
	for i := range 3 {
		p, from := receive(t, rtx)
		if len(p) != 12+4+1454+i || from.Port() != 5004 || binary.BigEndian.Uint32(p[8:]) != uint32(ssrc) || res.StatusCode != 200 {
			t.Errorf("packet pair %d: %d bytes from %s, ssrc %08x", i, len(p), from, binary.BigEndian.Uint32(p[8:]))
		}
	}
	c.setup("video", fmt.Sprintf("RTP/AVP/UDP;unicast;client_port=%d", port(rtp)))
	c.do("PLAY", "/sample.wmv", "")
	a, _ := receive(t, rtp)
	b, from := receive(t, rtp)
	n := binary.BigEndian.Uint16(a[2:])
	if binary.BigEndian.Uint16(b[2:]) != n+2 || from.Port() != 5004 {
		t.Fatalf("sequence numbers %d and %d from %s", n, binary.BigEndian.Uint16(b[2:]), from)
	}
	cname := fmt.Sprintf("%d%s", ssrc, cnameWMS)
	sdes := append([]byte{0x81, 202, 0, 0, 0, 0, 0, 1, 1, byte(len(cname))}, cname...)
	sdes = append(sdes, make([]byte, 4-len(sdes)%4)...)
	binary.BigEndian.PutUint16(sdes[2:], uint16(len(sdes)/4-1))
	nack := []byte{0x91, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, byte(n >> 8), byte(n), 0, 3} // n and the two after it
	if _, err := rtp.WriteToUDPAddrPort(append(sdes, nack...), netip.AddrPortFrom(s.Addr().Addr(), 5005)); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]byte{a, nil, b} {
		got, _ := receive(t, rtx)
		if binary.BigEndian.Uint16(got[2:]) != n+uint16(i) || want != nil && !cmp.Equal(got, want) {
			t.Errorf("resent %d: other bytes than sent", i)
		}
	}
	c.do("TEARDOWN", "/sample.wmv", "")
	want := []Nack{{From: netip.AddrPortFrom(s.Addr().Addr(), port(rtp)), CNAME: cname, Sequences: []uint16{n, n + 1, n + 2}, Resent: 3}}
	if d := cmp.Diff(want, s.Snapshot().Nacks, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("nacks (-want +got):\n%s", d)
	}
}

func udp(t *testing.T, s *Server) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.Addr().Addr(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c
}

func port(c *net.UDPConn) uint16 { return c.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func receive(t *testing.T, c *net.UDPConn) ([]byte, netip.AddrPort) {
	t.Helper()
	b := make([]byte, 2048)
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n], from
}

func TestSessionReturn(t *testing.T) {
	s := serve(t, "127.0.0.23", Config{})
	rtp := udp(t, s)
	c := dial(t, s)
	c.setup("video", fmt.Sprintf("RTP/AVP/UDP;unicast;client_port=%d", port(rtp)))
	_ = c.tcp.Close()
	back := dial(t, s)
	back.id = c.id
	if res := back.do("PLAY", "/sample.wmv", ""); res.StatusCode != 200 {
		t.Fatalf("the session did not outlive its connection: %d", res.StatusCode)
	}
	receive(t, rtp)
}

func TestSessionTimeout(t *testing.T) {
	s := serve(t, "127.0.0.23", Config{Timeout: time.Second})
	rtp := udp(t, s)
	c := dial(t, s)
	c.setup("video", fmt.Sprintf("RTP/AVP/UDP;unicast;client_port=%d", port(rtp)))
	_ = c.tcp.Close()
	for deadline := time.Now().Add(10 * time.Second); s.Snapshot().Sessions != 0; {
		if time.Now().After(deadline) {
			t.Fatal("a silent session stays")
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	b, err := samples.ReadFile("sample/sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(dir, "in")
	for name, content := range map[string][]byte{"in/film.wmv": b, "in/deep/film.asf": b, "in/broken.wmv": b[:100], "in/notes.txt": b, "out.wmv": b} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../out.wmv", filepath.Join(inside, "link.wmv")); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "127.0.0.24", Config{Dir: inside})
	for path, want := range map[string]int{
		"/film.wmv": 200, "/film.wmv/": 200, "/deep/film.asf": 200, "/broken.wmv": 404, "/notes.txt": 404, "/../out.wmv": 404,
		"/%2e%2e/out.wmv": 404, "/link.wmv": 404, "/deep": 404, "/": 404, "/film.wmv/audio": 404,
	} {
		if res := dial(t, s).do("DESCRIBE", path, ""); int(res.StatusCode) != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	s := serve(t, "127.0.0.25", Config{Users: map[string]string{"alice": "secret"}, StrictURI: true})
	c := dial(t, s)
	res := c.do("DESCRIBE", "/sample.wmv", "")
	if res.StatusCode != 401 || len(res.Header["WWW-Authenticate"]) != 2 {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	digest := func(uri string) string {
		r := md5Hex(md5Hex("alice:"+realm+":secret") + ":" + s.nonce + ":" + md5Hex("DESCRIBE:"+uri))
		return fmt.Sprintf(`Authorization: Digest username="alice", realm="%s", nonce="%s", uri="%s", response="%s"`, realm, s.nonce, uri, r)
	}
	for _, x := range []struct {
		name, field string
		want        int
	}{
		{"digest", digest(c.root + "/sample.wmv"), 200},
		{"digest of another uri", digest("rtsp://gateway/sample.wmv"), 401},
		{"basic", "Authorization: Basic YWxpY2U6c2VjcmV0", 200},
		{"wrong basic", "Authorization: Basic YWxpY2U6b3RoZXI=", 401},
	} {
		if res := c.do("DESCRIBE", "/sample.wmv", "", x.field); int(res.StatusCode) != x.want {
			t.Errorf("%s: %d, want %d", x.name, res.StatusCode, x.want)
		}
	}
}

func TestRunAndConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no address": {}, "odd media port": {Listen: netip.MustParseAddrPort("127.0.0.26:0"), Media: 5005},
		"slower than still": {Listen: netip.MustParseAddrPort("127.0.0.26:0"), Speed: -1},
		"no such folder":    {Listen: netip.MustParseAddrPort("127.0.0.26:0"), Dir: filepath.Join(t.TempDir(), "none")},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s := serve(t, "127.0.0.26", Config{})
	taken, err := New(Config{Listen: netip.AddrPortFrom(s.Addr().Addr(), 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Run(t.Context()); err == nil {
		t.Error("two origins have one media port")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}
