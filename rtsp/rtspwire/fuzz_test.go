package rtspwire

import (
	"bufio"
	"bytes"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/google/go-cmp/cmp"
)

// FuzzReader: what is unambiguous leaves byte-equal; what leaves has no line end but CRLF and no fold, and reads back
// the same; gortsplib, where it reads our output, counts the same fields; one byte at a time equals whole.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob(tortureDir + "/*/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if _, message, _ := bytes.Cut(data, []byte("\n")); len(message) < 4<<10 {
			f.Add(message)
		}
	}
	f.Add([]byte(setup + block + reply))
	f.Add([]byte("\x00junk$\x00\x00\x01aRTSP/1.0 200 OK\r\n\r\n"))
	small := Limits{Line: 40, Field: 30, Header: 160, Fields: 4, Body: 50, Garbage: 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, lim := range []Limits{{}, small} {
			all, single := transcript(whole(string(data)), lim), transcript(bytewise(string(data)), lim)
			if d := cmp.Diff(all, single); d != "" {
				t.Fatalf("one byte at a time (-whole +bytes):\n%s", d)
			}
		}
		checkStrict(t, data)
		r := NewReader(bytes.NewReader(data), Limits{})
		for {
			item, err := r.Read()
			switch m := item.(type) {
			case *Request:
				checkWritten(t, m, m.Header, m.Body)
				checkRequest(t, m)
			case *Response:
				checkWritten(t, m, m.Header, m.Body)
				checkResponse(t, m)
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF || r.dead != nil {
				return
			}
		}
	})
}

// strict is a message that every reader reads the same.
var strict = regexp.MustCompile(`^(?s:[A-Z_]+ [!-~]+ RTSP/1\.0|RTSP/1\.0 [1-9][0-9][0-9] [ -~]*)\r\n` +
	"(?:[A-Za-z0-9!#$%&'*+.^_|~-]+:(?:[ -~\\t]*)\r\n)*\r\n")

func checkStrict(t *testing.T, data []byte) {
	t.Helper()
	head := strict.Find(data)
	lower := bytes.ToLower(head)
	if head == nil || bytes.Contains(lower, []byte("\ntransfer-encoding:")) || len(head) > DefaultLine {
		return
	}
	n := 0
	if c := bytes.Count(lower, []byte("\ncontent-length:")); c > 1 {
		return
	} else if c == 1 {
		_, v, _ := bytes.Cut(lower, []byte("\ncontent-length:"))
		v, _, _ = bytes.Cut(v, []byte("\r"))
		s := strings.Trim(string(v), " \t")
		var err error
		if n, err = strconv.Atoi(s); err != nil || strconv.Itoa(n) != s || n < 0 || n > len(data)-len(head) {
			return
		}
	}
	want := data[:len(head)+n]
	if bytes.Count(head, []byte("\n")) > DefaultFields {
		return
	}
	item, err := NewReader(bytes.NewReader(want), Limits{}).Read()
	if err != nil {
		t.Fatalf("unambiguous and refused: %q: %v", want, err)
	}
	if got := item.Append(nil); !bytes.Equal(got, want) {
		t.Fatalf("unambiguous: %q\nleft as:     %q", want, got)
	}
}

func checkWritten(t *testing.T, m Item, h Header, body []byte) {
	t.Helper()
	out := m.Append(nil)
	head := out[:len(out)-len(body)]
	if rest := bytes.ReplaceAll(head, []byte("\r\n"), nil); bytes.ContainsAny(rest, "\r\n\x00") {
		t.Fatalf("line end or NUL: %q", head)
	}
	if bytes.Contains(head, []byte("\n ")) || bytes.Contains(head, []byte("\n\t")) {
		t.Fatalf("fold: %q", head)
	}
	r := NewReader(bytes.NewReader(out), Limits{})
	again, err := r.Read()
	if err != nil {
		t.Fatalf("written %q: %v", out, err)
	}
	if got := again.Append(nil); !bytes.Equal(got, out) {
		t.Fatalf("written   %q\nread again %q", out, got)
	}
	if _, err = r.Read(); err != io.EOF || r.Skipped() != 0 {
		t.Fatalf("after %q: %v", out, err)
	}
	c := h.Clone()
	c.Set("Session", "edited")
	c.Del("session")
	h = h.Clone()
	h.Del("Session")
	if got, want := c.append(nil), h.append(nil); !bytes.Equal(got, want) {
		t.Fatalf("an edit of Session made %q of %q", got, want)
	}
}

func checkRequest(t *testing.T, m *Request) {
	t.Helper()
	var theirs base.Request
	if theirs.Unmarshal(bufio.NewReader(bytes.NewReader(m.Append(nil)))) == nil {
		checkOracle(t, m, theirs.Header, m.Header.Len(), theirs.Body, m.Body)
		if string(theirs.Method) != m.Method {
			t.Fatalf("method %q, gortsplib reads %q", m.Method, theirs.Method)
		}
	}
}

func checkResponse(t *testing.T, m *Response) {
	t.Helper()
	var theirs base.Response
	if theirs.Unmarshal(bufio.NewReader(bytes.NewReader(m.Append(nil)))) == nil {
		checkOracle(t, m, theirs.Header, m.Header.Len(), theirs.Body, m.Body)
		if int(theirs.StatusCode) != m.Status {
			t.Fatalf("status %d, gortsplib reads %d", m.Status, theirs.StatusCode)
		}
	}
}

func checkOracle(t *testing.T, m Item, theirs base.Header, fields int, theirBody, body []byte) {
	t.Helper()
	n := 0
	for _, v := range theirs {
		n += len(v)
	}
	if n != fields || !bytes.Equal(theirBody, body) {
		t.Fatalf("%q: %d fields and body %q, gortsplib reads %d and %q", m.Append(nil), fields, body, n, theirBody)
	}
}

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
			if err != nil && indexControl([]byte(value)) < 0 && !strings.Contains(value, `\`) {
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
	if tr[0].IsRTP() && (tr[0].Lower() == LowerTCP) != (theirs.Protocol == headers.TransportProtocolTCP) {
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
