package rtsp

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"mediagate/balancer"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		method string
		state  state
		want   error
	}{
		{methodOptions, stateNone, nil},
		{methodDescribe, statePlaying, nil},
		{methodSetup, stateNone, nil},
		{methodSetup, statePlaying, nil}, // a change of transport
		{methodPlay, stateNone, errState},
		{methodPlay, stateReady, nil},
		{methodPlay, statePlaying, nil}, // queued
		{methodPause, stateNone, errState},
		{methodPause, stateReady, nil},
		{methodRecord, stateNone, errState},
		{methodRecord, stateReady, nil},
		{methodTeardown, stateNone, nil},
		{methodGetParameter, stateNone, nil},
		{methodSetParameter, stateNone, nil},
		{methodAnnounce, stateNone, nil},
		{"FLY", stateNone, nil},
		{"play", stateNone, nil}, // RFC 2326, section 6.1: methods are case-sensitive; the origin's to refuse
		{methodRedirect, stateReady, errNotAllowed},
		{methodPlayNotify, stateReady, errNotAllowed},
	} {
		t.Run(tc.method+" "+tc.state.String(), func(t *testing.T) {
			if got := judge(tc.method, tc.state); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNext(t *testing.T) {
	for _, tc := range []struct {
		from   state
		method string
		status int
		want   state
	}{
		{stateNone, methodSetup, 200, stateReady},
		{stateNone, methodSetup, 461, stateNone},
		{statePlaying, methodSetup, 200, statePlaying},
		{stateReady, methodPlay, 200, statePlaying},
		{stateReady, methodPlay, 250, statePlaying},
		{stateReady, methodPlay, 302, stateReady},
		{stateReady, methodPlay, 404, stateReady},
		{statePlaying, methodPause, 200, stateReady},
		{statePlaying, methodPause, 455, statePlaying},
		{stateReady, methodRecord, 200, stateRecording},
		{stateRecording, methodPause, 200, stateReady},
		{statePlaying, methodGetParameter, 200, statePlaying},
		{statePlaying, methodGetParameter, 454, stateNone},
		{stateRecording, "FLY", 200, stateRecording},
	} {
		t.Run(fmt.Sprint(tc.from, " ", tc.method, " ", tc.status), func(t *testing.T) {
			if got := next(tc.from, tc.method, tc.status); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestDigestURI(t *testing.T) {
	for _, tc := range []struct {
		name, credentials, want string
		ok                      bool
	}{
		{"plain", `Digest username="a", realm="b", nonce="c", uri="rtsp://gw/a", response="d"`, "rtsp://gw/a", true},
		{"first", `Digest uri="rtsp://gw/a",username="a"`, "rtsp://gw/a", true},
		{"last", `Digest username="a",uri="rtsp://gw/a"`, "rtsp://gw/a", true},
		{"lower case and spaces", "  digest  username = \"a\" , URI = \"rtsp://gw/a\" ", "rtsp://gw/a", true},
		{"comma in a quoted value", `Digest username="a, uri=\"rtsp://evil/\"", uri="rtsp://gw/a,b"`, "rtsp://gw/a,b", true},
		{"escaped quote", `Digest username="a\", uri=", uri="rtsp://gw/a"`, "rtsp://gw/a", true},
		{"unquoted", `Digest username=a, uri=rtsp://gw/a, nonce=b`, "rtsp://gw/a", true},
		{"relative", `Digest uri="/a"`, "/a", true},
		{"missing", `Digest username="a", nonce="c"`, "", false},
		{"only as the end of another name", `Digest xuri="rtsp://gw/a"`, "", false},
		{"never closed", `Digest username="a, uri=rtsp://gw/a`, "", false},
		{"empty", `Digest uri=""`, "", true},
		{"no value", `Digest uri`, "", false},
		{"basic", `Basic dXJpPSJhIg==`, "", false},
		{"nothing", ``, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := digestURI(tc.credentials); got != tc.want || ok != tc.ok {
				t.Errorf("got %q %v, want %q %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestSessionField(t *testing.T) {
	for _, tc := range []struct {
		value, id, with string
		timeout         time.Duration
		ok              bool
	}{
		{"123", "123", "NEW", 0, false},
		{"123;timeout=60", "123", "NEW;timeout=60", time.Minute, true},
		{"123 ; timeout = 5", "123", "NEW ; timeout = 5", 5 * time.Second, true},
		{"60;timeout=60", "60", "NEW;timeout=60", time.Minute, true},
		{"a;x=a;TIMEOUT=7", "a", "NEW;x=a;TIMEOUT=7", 7 * time.Second, true},
		{"a;timeout=0", "a", "NEW;timeout=0", 0, false},
		{"a;timeout=-1", "a", "NEW;timeout=-1", 0, false},
		{"a;timeout=99999999999", "a", "NEW;timeout=99999999999", 0, false},
		{"a;timeout=100000", "a", "NEW;timeout=100000", maxTimeout, true},
		{"a;timeout", "a", "NEW;timeout", 0, false},
		{"", "", "NEW", 0, false},
	} {
		t.Run(tc.value, func(t *testing.T) {
			if got := sessionID(tc.value); got != tc.id {
				t.Errorf("id %q, want %q", got, tc.id)
			}
			if got := withSessionID(tc.value, "NEW"); got != tc.with {
				t.Errorf("with another id %q, want %q", got, tc.with)
			}
			if d, ok := sessionTimeoutOf(tc.value); d != tc.timeout || ok != tc.ok {
				t.Errorf("timeout %s %v, want %s %v", d, ok, tc.timeout, tc.ok)
			}
		})
	}
}

func TestPublishes(t *testing.T) {
	for mode, want := range map[string]bool{
		"": false, "play": false, "PLAY": false, "record": true, `"RECORD"`: true, "receive": true,
		`"PLAY,RECORD"`: true, "recorder": false,
	} {
		if got := publishes(mode); got != want {
			t.Errorf("mode %q: %v", mode, got)
		}
	}
}

func TestPushes(t *testing.T) {
	var p pushes
	at := time.Unix(1000, 0)
	for i := range pushLimit + 4 {
		if n := p.add(strconv.Itoa(100+i), nil, at.Add(time.Duration(i)*time.Second)); n != uint32(i+1) {
			t.Fatalf("number %d of push %d", n, i)
		}
	}
	if len(p.waiting) != pushLimit {
		t.Errorf("%d wait", len(p.waiting))
	}
	if _, ok := p.take("4"); ok {
		t.Error("one that was given up is still there")
	}
	if got, ok := p.take("10"); !ok || got.cseq != "109" {
		t.Errorf("took %q %v", got.cseq, ok)
	}
	if _, ok := p.take("10"); ok {
		t.Error("taken twice")
	}
	if got, ok := p.take(""); !ok || got.cseq != "104" {
		t.Errorf("an answer without CSeq took %q", got.cseq)
	}
	if _, ok := p.take("010"); ok {
		t.Error("a number that we did not write was taken")
	}
	if got, ok := p.take("20"); !ok || got.cseq != "119" {
		t.Errorf("took %q %v", got.cseq, ok)
	}
	p.expire(at.Add(10 * time.Second))
	if d, ok := p.deadline(); !ok || d != at.Add(11*time.Second) {
		t.Errorf("deadline %s %v", d, ok)
	}
	p.expire(at.Add(time.Hour))
	if _, ok := p.take(""); ok {
		t.Error("something is left")
	}
	if _, ok := p.deadline(); ok {
		t.Error("a deadline is left")
	}
}

func TestURLMap(t *testing.T) {
	fresh := func() *urlMap {
		m := &urlMap{client: "gw.test"}
		m.reach("wms1", "198.51.100.1:8554")
		return m
	}
	t.Run("there and back", func(t *testing.T) {
		for _, tc := range []struct{ origin, client string }{
			{"rtsp://198.51.100.1:8554/a?x=1", "rtsp://gw.test/a?x=1"},
			{"rtsp://cam.local/a/", "rtsp://gw.test/a/"},
			{"rtsp://cam.local:554/b", "rtsp://gw.test/b"},
			{"rtsp://[2001:db8::1]:554/c", "rtsp://gw.test/c"},
			{"rtspt://user:pass@198.51.100.1:8554/d", "rtspt://user:pass@gw.test/d"},
			{"track1", "track1"}, {"*", "*"}, {"", ""}, {"/abs", "/abs"},
		} {
			m := fresh()
			if got := m.toClient(tc.origin); got != tc.client {
				t.Errorf("to the client: %q, want %q", got, tc.client)
			}
			if got := m.toOrigin(tc.client); got != tc.origin {
				t.Errorf("back: %q, want %q", got, tc.origin)
			}
		}
	})
	t.Run("prefixes end at a segment", func(t *testing.T) {
		m := fresh()
		m.toClient("rtsp://cam.local/a")
		m.toClient("rtsp://cam2.local/a/b/")
		for client, want := range map[string]string{
			"rtsp://gw.test/a/track1": "rtsp://cam.local/a/track1",
			"rtsp://gw.test/a?q":      "rtsp://cam.local/a?q",
			"rtsp://gw.test/ab":       "rtsp://198.51.100.1:8554/ab",
			"rtsp://gw.test/a/b/c":    "rtsp://cam2.local/a/b/c",
			"rtsp://gw.test/a/b":      "rtsp://cam.local/a/b",
		} {
			if got := m.toOrigin(client); got != want {
				t.Errorf("%s: %q, want %q", client, got, want)
			}
		}
	})
	t.Run("limits", func(t *testing.T) {
		m := fresh()
		for i := range 3 * aliasLimit {
			m.toClient(fmt.Sprintf("rtsp://cam.local/%d", i))
		}
		m.toClient("rtsp://cam.local/" + strings.Repeat("x", 1<<20))
		if len(m.alias) != aliasLimit || len(m.order) != aliasLimit {
			t.Errorf("%d and %d are remembered", len(m.alias), len(m.order))
		}
		if got := m.toOrigin(fmt.Sprintf("rtsp://gw.test/%d", 3*aliasLimit-1)); got != fmt.Sprintf("rtsp://cam.local/%d", 3*aliasLimit-1) {
			t.Errorf("the newest is %q", got)
		}
	})
	t.Run("another node", func(t *testing.T) {
		m := fresh()
		m.toClient("rtsp://cam.local/a")
		m.reach("wms1", "198.51.100.1:8554")
		if got := m.toOrigin("rtsp://gw.test/a"); got != "rtsp://cam.local/a" {
			t.Errorf("the same node gets %q", got)
		}
		m.reach("wms2", "198.51.100.2")
		if got := m.toOrigin("rtsp://gw.test/a"); got != "rtsp://198.51.100.2/a" {
			t.Errorf("another node gets %q", got)
		}
	})
}

func TestAuthorityOf(t *testing.T) {
	for at, want := range map[string]string{
		"192.0.2.1:554": "192.0.2.1", "192.0.2.1:8554": "192.0.2.1:8554",
		"[2001:db8::1]:554": "[2001:db8::1]", "[fe80::1%eth0]:8554": "[fe80::1]:8554",
	} {
		if got := authorityOf(netip.MustParseAddrPort(at)); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
}

func TestMaskURL(t *testing.T) {
	for url, want := range map[string]string{
		"rtsp://gw/a": "rtsp://gw/a", "rtsp://u:p@gw/a": "rtsp://***@gw/a", "*": "*", "/a@b": "/a@b", "": "",
		"rtsp://u:p@[2001:db8::1]:554/a": "rtsp://***@[2001:db8::1]:554/a",
	} {
		if got := maskURL(url); got != want {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
	}
}

func TestStatusOf(t *testing.T) {
	for _, row := range statusTable {
		if got := statusOf(fmt.Errorf("wrapped: %w", row.err)); got != row.status {
			t.Errorf("%v: %d, want %d", row.err, got, row.status)
		}
		if reasonPhrases[row.status] == "" {
			t.Errorf("%d has no phrase", row.status)
		}
	}
	for _, tc := range []struct {
		err  error
		want int
	}{
		{&rtspwire.SyntaxError{}, 400},
		{withoutText(&rtspwire.SyntaxError{}), 400},
		{&rtspwire.TooLargeError{What: "line"}, 414},
		{&rtspwire.TooLargeError{What: "body"}, 413},
		{balancer.ErrNoNode, 503},
		{udprelay.ErrPortsExhausted, 461},
		{fmt.Errorf("x: %w", udprelay.ErrOverloaded), 453},
		{errors.New("anything else"), 500},
	} {
		if got := statusOf(tc.err); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.err, got, tc.want)
		}
	}
}

// TestEverySentinelHasARow: an error value declared in status.go without a status would be answered 500.
func TestEverySentinelHasARow(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "status.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]bool)
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if spec.Names[0].Name != "statusTable" {
			if strings.HasPrefix(spec.Names[0].Name, "err") {
				declared = append(declared, spec.Names[0].Name)
			}
			return true
		}
		ast.Inspect(spec, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				rows[id.Name] = true
			}
			return true
		})
		return false
	})
	if len(declared) < 10 {
		t.Fatalf("only %d declared: %q", len(declared), declared)
	}
	for _, name := range declared {
		if !rows[name] {
			t.Errorf("%s has no row", name)
		}
	}
}
