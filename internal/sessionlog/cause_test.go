package sessionlog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		causes []Cause
		want   string
	}{
		{"nothing", nil, ""},
		{"one", []Cause{{Kind: TornDown}}, "the player tore the session down"},
		{"place and length", []Cause{{Kind: PlayerClosed, Text: "closed its connection", At: 761 * time.Second, Length: 90 * time.Minute, Placed: true}},
			"the player closed its connection at 00:12:41 of 01:30:00"},
		{"place alone", []Cause{{Kind: TornDown, At: 26*time.Hour + 999*time.Millisecond, Placed: true}}, "the player tore the session down at 26:00:00"},
		{"at the very beginning", []Cause{{Kind: TornDown, At: 999 * time.Millisecond, Length: time.Hour, Placed: true}}, "the player tore the session down"},
		{"place not known", []Cause{{Kind: TornDown, At: time.Hour, Length: 2 * time.Hour}}, "the player tore the session down"},
		{"a refusal before", []Cause{{Kind: PlayerClosed, Text: "closed its connection"}, {Kind: AfterNoPorts, Text: "udprelay: no ports"}},
			"the player closed its connection after a refusal: udprelay: no ports"},
		{"an error before", []Cause{{Kind: FileClosed}, {Kind: AfterError, Text: "mms: broken"}}, "the player closed the file after an error: mms: broken"},
		{"three", []Cause{{Kind: TornDown}, {Kind: OriginSilent, Node: "wms2", For: 10004 * time.Millisecond}, {Kind: Stranger, Count: 5}},
			"the player tore the session down; origin wms2 sent nothing for 10s after PLAY; 5 packets from strangers were refused"},
		{"figures are words, not forms", []Cause{{Kind: Killed, Text: "{node} {for}"}}, "killed by {node} {for}"},
		{"a short time", []Cause{{Kind: PlayerStalled, For: 1540 * time.Millisecond}}, "the player took nothing for 1.5s"},
		{"not known", []Cause{{Kind: "later", Text: "words"}}, "words"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			why, kinds := Explain(tc.causes)
			if why != tc.want {
				t.Errorf("got  %q\nwant %q", why, tc.want)
			}
			if len(kinds) != len(tc.causes) {
				t.Errorf("%d kinds of %d causes", len(kinds), len(tc.causes))
			}
		})
	}
}

// TestSentences: every figure that a sentence names is one that is filled in, and no kind is there twice.
func TestSentences(t *testing.T) {
	seen := map[Kind]bool{}
	for _, s := range sentences {
		if seen[s.kind] {
			t.Errorf("%s stands there twice", s.kind)
		}
		seen[s.kind] = true
		c := Cause{Kind: s.kind, Node: "n", Text: "t", For: time.Second, Count: 1, Of: 2, At: time.Hour, Placed: true}
		if got := c.String(); got == "" || strings.ContainsAny(got, "{}") {
			t.Errorf("%s: %q", s.kind, got)
		}
	}
}

func TestConclude(t *testing.T) {
	torn := EndState{WhoNobody, PhaseTeardown}
	first := SecondsAfter(start, start.Add(time.Second))
	udp := func(change func(r *Record, f *Facts)) (Record, Facts) {
		r := Record{Protocol: "rtsp", Mode: ModePlay, Transport: TransportUDP, Node: "wms2", FirstMedia: first, FromOrigin: Traffic{1000, 0}, ToClient: Traffic{1000, 0}}
		f := Facts{Played: time.Minute, Reports: 12}
		change(&r, &f)
		return r, f
	}
	for _, tc := range []struct {
		name   string
		state  EndState
		change func(r *Record, f *Facts)
		end    string
		signs  []Kind
		why    string
	}{
		{"all is well", torn, func(*Record, *Facts) {}, "-T", nil, ""},
		{"nothing from the origin", torn, func(r *Record, f *Facts) { r.FirstMedia, f.Played = nil, 10*time.Second }, "oT", []Kind{OriginSilent},
			"origin wms2 sent nothing for 10s after PLAY"},
		{"nothing, and the player broke off", EndState{WhoClient, PhasePlay}, func(r *Record, _ *Facts) { r.FirstMedia = nil }, "oP", []Kind{OriginSilent}, ""},
		{"nothing, and the gateway ended it", EndState{WhoGateway, PhasePlay}, func(r *Record, _ *Facts) { r.FirstMedia = nil }, "GP", []Kind{OriginSilent}, ""},
		{"nothing, but not for long", torn, func(r *Record, f *Facts) { r.FirstMedia, f.Played = nil, 4*time.Second }, "-T", nil, ""},
		{"nothing to play", torn, func(r *Record, _ *Facts) { r.Mode, r.FirstMedia = ModeRecord, nil }, "-T", nil, ""},
		{"the origin stopped", torn, func(_ *Record, f *Facts) { f.Silent = 8 * time.Second }, "-T", []Kind{OriginStopped}, "origin wms2 had sent nothing for 8s"},
		{"a lull", torn, func(_ *Record, f *Facts) { f.Silent = 7 * time.Second }, "-T", nil, ""},
		{"reports know of nothing", torn, func(_ *Record, f *Facts) { f.Reports, f.Unknowing = 0, 3 }, "-T", []Kind{PlayerUnreached},
			"the player's reports say that none of 1000 packets reached it: UDP towards it is blocked"},
		{"one report knew", torn, func(_ *Record, f *Facts) { f.Reports, f.Unknowing = 1, 30 }, "-T", nil, ""},
		{"no report at all", torn, func(_ *Record, f *Facts) { f.Reports = 0 }, "-T", []Kind{PlayerNeverHeard}, ""},
		{"no report, but a log", torn, func(r *Record, f *Facts) { f.Reports, r.ClientLog = 0, &ClientLog{} }, "-T", nil, ""},
		{"no report, but resend requests", torn, func(r *Record, f *Facts) { f.Reports, r.ResendRequests = 0, 1 }, "-T", nil, ""},
		{"no report over TCP", torn, func(r *Record, f *Facts) { f.Reports, r.Transport = 0, TransportInterleaved }, "-T", nil, ""},
		{"no report of little", torn, func(r *Record, f *Facts) { f.Reports, r.ToClient.Packets = 0, 19 }, "-T", nil, ""},
		{"no report over MMS", torn, func(r *Record, f *Facts) { f.Reports, r.Protocol = 0, "mms" }, "-T", nil, ""},
		{"a header that went nowhere", EndState{WhoClient, PhaseDescribe}, func(r *Record, f *Facts) {
			r.Protocol, r.Mode, r.FirstMedia, r.ToClient, r.Duration, *f = "mms", "", nil, Traffic{3, 0}, Seconds(5*time.Second), Facts{}
		}, "CD", []Kind{PlayerNeverHeard}, "3 packets went to the player over UDP"},
		{"a header, and a player that asked only", EndState{WhoClient, PhaseDescribe}, func(r *Record, f *Facts) {
			r.Protocol, r.Mode, r.FirstMedia, r.ToClient, r.Duration, *f = "mms", "", nil, Traffic{3, 0}, Seconds(time.Second), Facts{}
		}, "CD", nil, ""},
		{"refused and strange", torn, func(r *Record, _ *Facts) {
			r.Drops = map[string]uint64{"unknown-source": 5, "write-refused": 3, "wrong-port": 2, "unreachable": 1, "closed": 9}
		}, "-T", []Kind{PlayerICMP, Unreachable, NATMapped, Stranger}, "the player's host or NAT refused 3 packets (ICMP port unreachable)"},
		{"refused by ICMP", torn, func(_ *Record, f *Facts) { f.Reports, f.Refused = 0, 3 }, "-T", []Kind{PlayerNeverHeard, PlayerICMP},
			"; the player's host or NAT refused 3 packets (ICMP port unreachable)"},
		{"its last packets refused", torn, func(_ *Record, f *Facts) { f.Refused = 3 }, "-T", nil, ""},
		{"lost before", torn, func(r *Record, _ *Facts) { r.Lost = 100 }, "-T", []Kind{LostBeforeHere},
			"100 of 1100 packets were lost between origin wms2 and the gateway"},
		{"lost behind", torn, func(r *Record, _ *Facts) { r.Lost, r.RTCPLost = 2, 52 }, "-T", []Kind{LostBehindHere},
			"50 of 1000 packets were lost between the gateway and the player"},
		{"lost before, as the player says too", torn, func(r *Record, _ *Facts) { r.Lost, r.RTCPLost = 100, 100 }, "-T", []Kind{LostBeforeHere}, ""},
		{"hardly lost", torn, func(r *Record, _ *Facts) { r.Lost, r.RTCPLost = 9, 18 }, "-T", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, f := udp(tc.change)
			r.Conclude(tc.state, f, Cause{Kind: TornDown})
			if diff := cmp.Diff(append([]Kind{TornDown}, tc.signs...), r.Causes); diff != "" {
				t.Error(diff)
			}
			if r.End.String() != tc.end || !strings.HasPrefix(r.Why, "the player tore the session down") || !strings.Contains(r.Why, tc.why) {
				t.Errorf("%s %q, want %s with %q", r.End, r.Why, tc.end, tc.why)
			}
		})
	}
}
