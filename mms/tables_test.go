package mms

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

func TestJudgeFunnel(t *testing.T) {
	for _, tc := range []struct {
		name    string
		control string
		funnel  string
		want    error
	}{
		{"own address", "203.0.113.9", `\\203.0.113.9\UDP\7000`, nil},
		{"another host", "203.0.113.9", `\\203.0.113.10\UDP\7000`, errFunnelHost},
		{"unspecified", "203.0.113.9", `\\0.0.0.0\UDP\7000`, nil},
		{"unspecified IPv6", "203.0.113.9", `\\::\UDP\7000`, nil},
		{"a name", "203.0.113.9", `\\player.test\UDP\7000`, nil},
		{"no host", "203.0.113.9", `\\\UDP\7000`, nil},
		{"private behind NAT", "203.0.113.9", `\\192.168.1.5\UDP\7000`, nil},
		{"link-local behind NAT", "203.0.113.9", `\\169.254.1.5\UDP\7000`, nil},
		{"carrier's NAT", "203.0.113.9", `\\100.64.3.4\UDP\7000`, nil},
		{"home behind carrier's NAT", "100.64.3.4", `\\192.168.1.5\UDP\7000`, nil},
		{"neighbour behind carrier's NAT", "100.64.3.4", `\\100.64.3.5\UDP\7000`, errFunnelHost},
		{"neighbour in 10", "10.0.0.7", `\\10.1.2.3\UDP\7000`, errFunnelHost},
		{"neighbour in 172.16", "172.16.0.7", `\\172.31.2.3\UDP\7000`, errFunnelHost},
		{"172.32 is the internet", "203.0.113.9", `\\172.32.2.3\UDP\7000`, errFunnelHost},
		{"public from within a private network", "10.0.0.7", `\\203.0.113.9\UDP\7000`, errFunnelHost},
		{"loopback from outside", "203.0.113.9", `\\127.0.0.1\UDP\7000`, nil},
		{"another loopback", "127.0.0.1", `\\127.0.0.2\UDP\7000`, errFunnelHost},
		{"IPv6", "2001:db8::9", `\\2001:db8::9\UDP\7000`, nil},
		{"IPv6, another", "2001:db8::9", `\\[2001:db8::a]\UDP\7000`, errFunnelHost},
		{"IPv6, unique local", "2001:db8::9", `\\fd00::1\UDP\7000`, nil},
		{"IPv6, with a zone", "fe80::1%eth0", `\\fe80::1%3\UDP\7000`, nil},
		{"IPv4 in IPv6", "203.0.113.9", `\\::ffff:203.0.113.9\UDP\7000`, nil},
		{"IPv4 named, IPv6 seen", "2001:db8::9", `\\203.0.113.9\UDP\7000`, errFunnelHost},
		{"multicast", "203.0.113.9", `\\239.1.2.3\UDP\7000`, errFunnelHost},
		{"port 0", "203.0.113.9", `\\203.0.113.9\UDP\0`, errFunnelPort},
		{"port 70000", "203.0.113.9", `\\203.0.113.9\UDP\70000`, errFunnelPort},
		{"no port", "203.0.113.9", `\\203.0.113.9\UDP`, errFunnelPort},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name, _ := mmswire.ParseFunnelName(tc.funnel)
			if err := judgeFunnel(name, netip.MustParseAddr(tc.control)); !errors.Is(err, tc.want) {
				t.Errorf("%s from %s: got %v, want %v", tc.funnel, tc.control, err, tc.want)
			}
		})
	}
}

func TestHostName(t *testing.T) {
	for _, tc := range []struct{ host, want string }{
		{"", ""},
		{"gw.test", "gw.test"},
		{"GW.Test:1755", "gw.test"},
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:1755", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"[2001:db8::1]:1755", "2001:db8::1"},
		{"gw.test:", "gw.test"},
	} {
		t.Run(tc.host, func(t *testing.T) {
			if got := hostName(tc.host); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPathOf(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"plain", "a.wmv", "/a.wmv"},
		{"empty", "", "/"},
		{"with a slash", "/a.wmv", "/a.wmv"},
		{"VLC: not decoded", "dir/a%20b.wmv", "/dir/a b.wmv"},
		{"ffmpeg: not decoded, with its query", "dir/a%20b.wmv?x=1", "/dir/a b.wmv"},
		{"MPlayer, libmms: decoded, with its query", "dir/a b.wmv?x=1", "/dir/a b.wmv"},
		{"percent that encodes nothing", "100%.wmv", "/100%.wmv"},
		{"an encoded question mark stays", "a%3Fb.wmv?c", "/a?b.wmv"},
		{"query alone", "?x", "/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := pathOf(tc.file); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAgentOf(t *testing.T) {
	for _, tc := range []struct{ name, subscriber, want string }{
		{"VLC", "NSPlayer/7.0.0.1956; {0xbabac001}; Host: gw.test", "NSPlayer/7.0.0.1956; {0xbabac001}"},
		{"host in small letters", "NSPlayer/9; host: gw.test", "NSPlayer/9"},
		{"strings behind a NUL", "NSPlayer/9\x00HOST: gw.test\x00VIA: a/1", "NSPlayer/9"},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := agentOf(tc.subscriber); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestRefusal: each request that must be answered has a refusal, which the player takes for the answer.
func TestRefusal(t *testing.T) {
	for _, mid := range mmswire.MIDs() {
		t.Run(short(mid), func(t *testing.T) {
			asked, _ := rowOf(mid)
			m := refusal(mid, 3, hrTimeout)
			if (m == nil) && asked.timed {
				t.Fatal("an answer must come, and there is none")
			}
			if m == nil {
				return
			}
			answer, ok := rowOf(m.MID())
			if !ok || !slices.Contains(answer.answers, mid) {
				t.Errorf("%v does not answer it", m.MID())
			}
			if line := messageLine(mmswire.Encode(m)); !strings.Contains(line, "hr=0xc00d0013") {
				t.Errorf("the refusal says %s", line)
			}
			if got := requestOf(mmswire.Raw{MID: mid, Body: make([]byte, 256)}); got.mid != mid {
				t.Errorf("as a request it is %v", got.mid)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		hr   uint32
		who  byte
	}{
		{"wrapped", fmt.Errorf("%w: more", errFunnelHost), hrAccessDenied, 0},
		{"origin's own", fmt.Errorf("x: %w", &refusalError{mmswire.MIDReportOpenFile, 0xC00D001A}), 0xC00D001A, sessionlog.WhoOrigin},
		{"broke, with its cause", brokeWith(io.EOF), hrConnectionLost, sessionlog.WhoOrigin},
		{"no node behind an unreachable one", fmt.Errorf("%w (%v)", errUnreachable, balancer.ErrNoNode), hrCannotConnect, sessionlog.WhoNode},
		{"no node", fmt.Errorf("x: %w", balancer.ErrNoNode), hrUnavailable, sessionlog.WhoNode},
		{"ports", fmt.Errorf("x: %w", udprelay.ErrPortsExhausted), hrNoResource, sessionlog.WhoResource},
		{"overload", fmt.Errorf("x: %w", udprelay.ErrOverloaded), hrTooManySessions, sessionlog.WhoResource},
		{"syntax", &mmswire.SyntaxError{Object: "packet"}, hrBadControlData, 0},
		{"the origin's syntax", brokeWith(&mmswire.SyntaxError{Object: "packet"}), hrConnectionLost, sessionlog.WhoOrigin},
		{"too large", fmt.Errorf("x: %w", mmswire.ErrTooLarge), hrBadControlData, 0},
		{"nobody knows", errors.New("odd"), hrInternal, sessionlog.WhoInternal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := judged(tc.err)
			if diff := cmp.Diff([]any{tc.hr, tc.who}, []any{got.hr, got.who}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if hresultOf(tc.err) != tc.hr || !failed(tc.hr) {
				t.Error("the result is no failure, or another")
			}
		})
	}
}

// TestVerdictsAreWhole: each refusal of status.go has a verdict.
func TestVerdictsAreWhole(t *testing.T) {
	for name, err := range map[string]error{
		"errBusy": errBusy, "errDraining": errDraining, "errUnreachable": errUnreachable, "errOriginSilent": errOriginSilent,
		"errOriginBroke": errOriginBroke, "errLoop": errLoop, "errNoUDP": errNoUDP, "errFunnelPort": errFunnelPort,
		"errFunnelHost": errFunnelHost, "errUnexpected": errUnexpected, "errElsewhere": errElsewhere, "errHops": errHops,
	} {
		if hresultOf(err) == hrInternal {
			t.Errorf("%s has no verdict", name)
		}
	}
	if n := len(errorsOf(t, "status.go")); n != 12 {
		t.Errorf("status.go has %d errors, the test 12", n)
	}
}

// errorsOf are the names of a file's error variables.
func errorsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range parsed.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && len(v.Names[0].Name) > 3 && v.Names[0].Name[:3] == "err" {
					names = append(names, v.Names[0].Name)
				}
			}
		}
	}
	return names
}

func TestClaimID(t *testing.T) {
	p := &Proxy{clientIDs: make(map[clientID]struct{})}
	one, two := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")
	if got := p.claimID(one, 7); got != 7 {
		t.Errorf("the first gets %d", got)
	}
	if got := p.claimID(two, 7); got != 7 {
		t.Errorf("at another address: %d", got)
	}
	second := p.claimID(one, 7)
	if second == 7 || second == 0 {
		t.Errorf("the second at that address gets %d", second)
	}
	if got := p.claimID(one, 0); got == 0 || got == second {
		t.Errorf("one of ours: %d", got)
	}
	if got := p.claimID(one, second); got == second {
		t.Errorf("an origin gave one that we have given: %s twice", strconv.Itoa(int(got)))
	}
	p.dropID(one, 7)
	if got := p.claimID(one, 7); got != 7 {
		t.Errorf("given back and asked for again: %d", got)
	}
	if len(p.clientIDs) != 5 {
		t.Errorf("%d are taken", len(p.clientIDs))
	}
}

// TestTableIsWhole: each message of the specification has a row, requests and answers fit, and nothing else is there.
func TestTableIsWhole(t *testing.T) {
	seen := map[mmswire.MID]bool{}
	for _, r := range table {
		if seen[r.mid] {
			t.Errorf("%v twice", r.mid)
		}
		seen[r.mid] = true
		if fromClient(r.mid) && len(r.answers) > 0 || !fromClient(r.mid) && r.timed {
			t.Errorf("%v is on the wrong side", r.mid)
		}
		for _, a := range r.answers {
			if !fromClient(a) {
				t.Errorf("%v answers %v", r.mid, a)
			}
		}
	}
	for _, mid := range mmswire.MIDs() {
		if !seen[mid] {
			t.Errorf("%v has no row", mid)
		}
	}
	if len(seen) != len(mmswire.MIDs()) {
		t.Error("the table has messages that the specification does not have")
	}
}
