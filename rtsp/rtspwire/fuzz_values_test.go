package rtspwire

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
)

// FuzzTransport: round trip; an edit touches nothing it does not name and reads back; gortsplib, where it parses,
// agrees on what ours is sure of.
func FuzzTransport(f *testing.F) {
	for _, tt := range transportTests {
		f.Add(tt.in, "client_port", "6000-6001")
	}
	f.Add(`RTP/AVP;mode="PLAY"`, "mode", "a,b;c")
	f.Fuzz(func(t *testing.T, in, name, value string) {
		tr, err := ParseTransport(in)
		if err != nil {
			return
		}
		if got := tr.String(); got != in {
			t.Fatalf("came %q, left %q", in, got)
		}
		agreesOnTransport(t, in, tr)
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`",;=`, c) }) {
			return
		}
		for i, spec := range tr {
			c := spec.Clone()
			c.SetParam(name, value)
			edited := append(append(Transport{}, tr[:i]...), c)
			edited = append(edited, tr[i+1:]...)
			again, err := ParseTransport(edited.String())
			if err != nil && indexControl(value) == len(value) && !strings.Contains(value, `\`) {
				t.Fatalf("SetParam(%q, %q) made %q of %q: %v", name, value, edited, in, err)
			}
			if err == nil && len(again) != len(tr) {
				t.Fatalf("SetParam(%q, %q) made %q of %q: %d alternatives", name, value, edited, in, len(again))
			}
			c.DelParam(name)
			plain := spec.Clone()
			plain.DelParam(name)
			if c.String() != plain.String() {
				t.Fatalf("SetParam(%q) and DelParam made %q, DelParam alone %q", name, c, plain)
			}
		}
		if tr.String() != in {
			t.Fatalf("editing a clone changed %q to %q", in, tr)
		}
	})
}

func agreesOnTransport(t *testing.T, in string, tr Transport) {
	t.Helper()
	var theirs headers.Transport
	// "source=name" makes gortsplib ask the DNS.
	if len(tr) != 1 || strings.Contains(in, "source") || theirs.Unmarshal(base.HeaderValue{in}) != nil {
		return
	}
	pair := func(name string, p *[2]int) {
		if r, ok := tr[0].Ports(name); ok && p != nil && r.Pair && (int(r.Lo) != p[0] || int(r.Hi) != p[1]) {
			t.Fatalf("%q: %s is %v, gortsplib reads %v", in, name, r, *p)
		}
	}
	pair("client_port", theirs.ClientPorts)
	pair("server_port", theirs.ServerPorts)
	pair("port", theirs.Ports)
	pair("interleaved", theirs.InterleavedIDs)
	if ssrc, ok := tr[0].SSRC(); ok && theirs.SSRC != nil && ssrc != *theirs.SSRC {
		t.Fatalf("%q: ssrc is %x, gortsplib reads %x", in, ssrc, *theirs.SSRC)
	}
	if tr[0].IsRTP() && tr[0].Lower() != LowerOther && (tr[0].Lower() == LowerTCP) != (theirs.Protocol == headers.TransportProtocolTCP) {
		t.Fatalf("%q: lower is %v, gortsplib reads %v", in, tr[0].Lower(), theirs.Protocol)
	}
}

// FuzzRTPInfo: round trip; a URL put in is the URL read back, in every entry; parameters elsewhere stay.
func FuzzRTPInfo(f *testing.F) {
	for _, tt := range rtpInfoTests {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		info := ParseRTPInfo(in)
		if got := info.String(); got != in {
			t.Fatalf("came %q, left %q", in, got)
		}
		for _, e := range info {
			if u := e.URL(); !strings.ContainsAny(u, "\"\r\n\x00") {
				e.SetURL(u)
			}
		}
		if got := info.String(); got != in {
			t.Fatalf("came %q, left %q after every URL was set to itself", in, got)
		}
		for _, e := range info {
			tail := strings.Join(e.parts[1:], ";")
			e.SetURL("rtsp://gw.test/a,b;c")
			if u := e.URL(); u != "rtsp://gw.test/a,b;c" || strings.Join(e.parts[1:], ";") != tail {
				t.Fatalf("%q: SetURL made %q, URL %q", in, e.parts, u)
			}
			e.SetParam("server_port", "5004-5005")
			if p, ok := e.Ports("server_port"); !ok || p != (PortRange{5004, 5005, true}) {
				t.Fatalf("%q: SetParam made %q", in, e.parts)
			}
		}
	})
}

// FuzzSDP: round trip; an edit leaves the lines it does not name and their number.
func FuzzSDP(f *testing.F) {
	f.Add([]byte(wmsSDP))
	f.Add([]byte("v=0\nc=IN IP4 224.2.1.1/127/3\ra=control:*\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := ParseSDP(body)
		same := func(_ int, v string) string { return v }
		s.EditControl(same)
		s.EditConnection(same)
		if got := s.Append(nil); !bytes.Equal(got, body) {
			t.Fatalf("came %q, left %q", body, got)
		}
		medias := len(s.Medias())
		s.EditControl(func(media int, v string) string { return "rtsp://gw.test/" + strconv.Itoa(media) })
		s.EditConnection(func(int, string) string { return "0.0.0.0" })
		before, after := strings.Split(string(body), "\n"), strings.Split(string(s.Append(nil)), "\n")
		if len(before) != len(after) || len(s.Medias()) != medias {
			t.Fatalf("%q became %q", body, s.Append(nil))
		}
		for i, line := range before {
			named := strings.Contains(line, "c=") || strings.Contains(line, "a=")
			if !named && line != after[i] {
				t.Fatalf("line %q became %q", line, after[i])
			}
		}
	})
}

// FuzzAuthority: the authority put in is the one read back and the path stays; net/url, where it parses, sees the same
// host.
func FuzzAuthority(f *testing.F) {
	for _, tt := range authorityTests {
		f.Add(tt.url)
	}
	f.Fuzz(func(t *testing.T, in string) {
		start, end, ok := Authority(in)
		if !ok {
			return
		}
		if u, err := url.Parse(in); err == nil && u.Host != in[start:end] && !strings.Contains(in[start:end], "%") {
			t.Fatalf("%q: authority %q, net/url reads %q", in, in[start:end], u.Host)
		}
		out := SwapAuthority(in, "gw.test:8554")
		s, e, ok := Authority(out)
		if !ok || out[s:e] != "gw.test:8554" || URLPath(out) != URLPath(in) {
			t.Fatalf("%q became %q", in, out)
		}
		if back := SwapAuthority(out, in[start:end]); back != in {
			t.Fatalf("%q came back as %q", in, back)
		}
	})
}
