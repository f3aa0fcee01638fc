package rtspwire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// transportTests: the alternatives as "protocol profile lower rtp multicast", of the first one the ports.
var transportTests = []struct {
	name, in string
	n        int
	profile  string
	lower    Lower
	rtp      bool
	client   PortRange
	ok       bool
}{
	{"ffmpeg over UDP", "RTP/AVP/UDP;unicast;client_port=5000-5001", 1, "AVP", LowerUDP, true, PortRange{5000, 5001, true}, true},
	{"GStreamer", "RTP/AVP;unicast;client_port=5000-5001", 1, "AVP", LowerUDP, true, PortRange{5000, 5001, true}, true},
	{"single port (libstreaming PR #276)", "RTP/AVP;unicast;client_port=5000", 1, "AVP", LowerUDP, true, PortRange{5000, 5000, false}, true},
	{"ports with a slash (rtsp-linux#11)", "RTP/AVP;unicast;client_port=5000/5001", 1, "AVP", LowerUDP, true, PortRange{5000, 5001, true}, true},
	{"interleaved", "RTP/AVP/TCP;unicast;interleaved=0-1", 1, "AVP", LowerTCP, true, PortRange{}, false},
	{"case of names and protocol", "rtp/savp ; UNICAST; Client_Port = 5000-5001 ", 1, "SAVP", LowerUDP, true, PortRange{5000, 5001, true}, true},
	{"[MS-RTSP] 2.2.6.11", "RTP/AVP/UDP;unicast;client_port=5004;FecSpan=18;FecPerSpan=01;FecBurstMargin=1", 1, "AVP", LowerUDP, true, PortRange{5004, 5004, false}, true},
	{"RealPlayer's list", "x-real-rdt/udp;client_port=6970;mode=play,x-pn-tng/tcp,rtp/avp;unicast", 3, "", LowerUDP, false, PortRange{6970, 6970, false}, true},
	{"App-V profile", "RTP/SDCP/TCP", 1, "SDCP", LowerTCP, true, PortRange{}, false},
	{"unknown lower transport", "RTP/AVP/SCTP;client_port=5000-5001", 1, "AVP", LowerOther, true, PortRange{5000, 5001, true}, true},
	{"four words", "RTP/AVP/TCP/X", 1, "AVP", LowerOther, true, PortRange{}, false},
	{"MPEG transport stream", "MP2T/H2221/UDP;unicast;client_port=1-2", 1, "H2221", LowerUDP, false, PortRange{1, 2, true}, true},
	{"port over 65535", "RTP/AVP;client_port=70000-70001", 1, "AVP", LowerUDP, true, PortRange{}, false},
	{"ports that are none", "RTP/AVP;client_port=-;x=y", 1, "AVP", LowerUDP, true, PortRange{}, false},
	{"signed port", "RTP/AVP;client_port=+5000-5001", 1, "AVP", LowerUDP, true, PortRange{}, false},
	{"comma in quotes", `RTP/AVP;mode="PLAY,RECORD";client_port=1-2,RTP/AVP/TCP`, 2, "AVP", LowerUDP, true, PortRange{1, 2, true}, true},
	{"empty alternatives", " ,, RTP/AVP;client_port=1-2 , ,", 1, "AVP", LowerUDP, true, PortRange{1, 2, true}, true},
	{"semicolon at the end", "RTP/AVP;unicast;client_port=1-2; ", 1, "AVP", LowerUDP, true, PortRange{1, 2, true}, true},
	{"the same port twice", "RTP/AVP;client_port=1-2;client_port=1-2", 1, "AVP", LowerUDP, true, PortRange{1, 2, true}, true},
}

func TestTransport(t *testing.T) {
	for _, tt := range transportTests {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := ParseTransport(tt.in)
			if err != nil || len(tr) != tt.n {
				t.Fatalf("got %d alternatives, %v", len(tr), err)
			}
			if tr.String() != tt.in {
				t.Errorf("left as %q", tr)
			}
			s := tr[0]
			if s.Profile() != tt.profile || s.Lower() != tt.lower || s.IsRTP() != tt.rtp || s.Multicast() {
				t.Errorf("profile %q, lower %v, rtp %v, multicast %v", s.Profile(), s.Lower(), s.IsRTP(), s.Multicast())
			}
			if p, ok := s.Ports("client_port"); p != tt.client || ok != tt.ok {
				t.Errorf("client_port %v, %v", p, ok)
			}
		})
	}
}

func TestTransportRefused(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"nothing", ""},
		{"only commas", " , ,"},
		{"two client ports, first taken by one reader, last by another", "RTP/AVP;client_port=1-2;client_port=3-4"},
		{"the second in other spelling", "RTP/AVP;destination=192.0.2.1;Destination = 192.0.2.2"},
		{"a second protocol", "RTP/AVP;unicast;client_port=1-2;rtp/avp/tcp;interleaved=0-1"},
		{"open quote", `RTP/AVP;mode="PLAY`},
		{"escaped quote", `RTP/AVP;mode="PLAY\";client_port=1-2;x="`},
		{"NUL", "RTP/AVP\x00"},
		{"line end", "RTP/AVP\r\nSession: evil"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := ParseTransport(tt.in)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Field != "Transport" || syntax.Fatal {
				t.Errorf("got %v, %v", tr, err)
			}
		})
	}
}

func TestTransportEdit(t *testing.T) {
	set := func(name, value string) func(*TransportSpec) {
		return func(s *TransportSpec) { s.SetParam(name, value) }
	}
	del := func(name string) func(*TransportSpec) { return func(s *TransportSpec) { s.DelParam(name) } }
	for _, tt := range []struct {
		name, in string
		edit     func(*TransportSpec)
		want     string
	}{
		{"in place, unknown ones stay", "RTP/AVP ; unicast; Client_Port = 1-2 ;X-y=Z", set("client_port", "3-4"), "RTP/AVP ; unicast; Client_Port = 3-4 ;X-y=Z"},
		{"appended", "RTP/AVP;unicast", set("server_port", "5-6"), "RTP/AVP;unicast;server_port=5-6"},
		{"appended before a last semicolon", "RTP/AVP;unicast;", set("server_port", "5-6"), "RTP/AVP;unicast;server_port=5-6;"},
		{"bare name", "RTP/AVP", set("unicast", ""), "RTP/AVP;unicast"},
		{"a value for a bare name", "RTP/AVP;x ;y", set("x", "1"), "RTP/AVP;x=1 ;y"},
		{"quotes stay", `RTP/AVP;mode="PLAY"`, set("mode", "RECORD"), `RTP/AVP;mode="RECORD"`},
		{"quotes come when needed", `RTP/AVP;mode=PLAY`, set("mode", "PLAY,RECORD"), `RTP/AVP;mode="PLAY,RECORD"`},
		{"no quote and no line end gets in", `RTP/AVP`, set("x", "a\"\r\nb"), "RTP/AVP;x=a  b"},
		{"others of the name go", "RTP/AVP;x=1;X=2;y;x=3", set("x", "4"), "RTP/AVP;x=4;y"},
		{"the same value touches nothing", `RTP/AVP; mode = "PLAY" `, set("mode", "PLAY"), `RTP/AVP; mode = "PLAY" `},
		{"removed", "RTP/AVP;ssrc=1; destination=192.0.2.1;mode=play", del("DESTINATION"), "RTP/AVP;ssrc=1;mode=play"},
		{"the protocol is no parameter", "x;y", del("x"), "x;y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := ParseTransport(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			c := tr[0].Clone()
			tt.edit(c)
			if c.String() != tt.want {
				t.Errorf("got %q, want %q", c, tt.want)
			}
			if tr.String() != tt.in {
				t.Errorf("the original became %q", tr)
			}
		})
	}
}

func TestTransportValues(t *testing.T) {
	type values struct {
		Lo, Hi    uint8
		Channels  bool
		SSRC      uint32
		HasSSRC   bool
		Mode      string
		Multicast bool
	}
	for _, tt := range []struct {
		in   string
		want values
	}{
		{`RTP/AVP/TCP;interleaved=2-3;ssrc=1a2B3c4D;mode="record"`, values{2, 3, true, 0x1a2b3c4d, true, "record", false}},
		{"RTP/AVP/TCP;interleaved=4;ssrc=FF", values{4, 4, true, 0xff, true, "", false}},
		{"RTP/AVP/TCP;interleaved=300-301;ssrc=123456789", values{}},
		{"RTP/AVP/TCP;interleaved=;ssrc=+1;mode", values{}},
		{"RTP/AVP;unicast;multicast;ssrc=x", values{Multicast: true}},
	} {
		tr, err := ParseTransport(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		var got values
		got.Lo, got.Hi, got.Channels = tr[0].Channels()
		got.SSRC, got.HasSSRC = tr[0].SSRC()
		got.Mode, got.Multicast = tr[0].Mode(), tr[0].Multicast()
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, d)
		}
	}
	tr, err := ParseTransport("RTP/AVP;client_port=1-2", " RTP/AVP/TCP")
	if err != nil || len(tr) != 2 || tr.String() != "RTP/AVP;client_port=1-2, RTP/AVP/TCP" {
		t.Errorf("two fields: %q, %v", tr, err)
	}
}
