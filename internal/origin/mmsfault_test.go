package origin

import (
	"encoding/base64"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

func TestMMSFunnels(t *testing.T) {
	s := serveMMS(t, "127.0.0.35", Config{RefuseUDP: true})
	c := dialMMS(t, s)
	a := ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{SubscriberName: subscriber})
	if a.HR != hrOK || a.PlayIncarnation != mmswire.DisablePacketPair || a.AuthenPackage != "" || a.ServerVersionInfo == "" {
		t.Errorf("%+v", a)
	}
	for _, x := range []struct {
		name string
		want uint32
	}{
		{`\\127.0.0.35\UDP\7000`, hrAccessDenied}, {`\\127.0.0.35\UDP\0`, hrInvalid}, {`\\127.0.0.35\UDP\70000`, hrInvalid},
		{`\\127.0.0.35\TCP`, hrInvalid}, {"", hrInvalid}, {strings.Repeat("x", 30000), hrInvalid},
	} {
		if d := ask[*mmswire.ReportDisconnectedFunnel](c, &mmswire.ConnectFunnel{FunnelName: x.name}); d.HR != x.want {
			t.Errorf("%.30q: %#x, want %#x", x.name, d.HR, x.want)
		}
	}
	if o := ask[*mmswire.ReportOpenFile](c, &mmswire.OpenFile{FileName: "sample.wmv"}); o.HR != hrUnexpected {
		t.Errorf("file without a funnel: %#x", o.HR)
	}
	ask[*mmswire.ReportConnectedFunnel](c, &mmswire.ConnectFunnel{FunnelName: `\\192.168.0.1\TCP\1242` + "\x000"})
}

// TestMMSPacketPairTCP looks at the sizes of the three packets.
func TestMMSPacketPairTCP(t *testing.T) {
	s := serveMMS(t, "127.0.0.36", Config{})
	c := dialMMS(t, s)
	a := ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{PlayIncarnation: mmswire.UsePacketPair, SubscriberName: subscriber})
	if a.PlayIncarnation != mmswire.UsePacketPair {
		t.Errorf("%+v", a)
	}
	if f := ask[*mmswire.ReportFunnelInfo](c, &mmswire.FunnelInfo{PlayIncarnation: 0x00f0f0f0}); f.PlayIncarnation != mmswire.DisablePacketPair || len(f.PacketPair) != 0 {
		t.Errorf("%+v", f) // Observed: FFmpeg asks so
	}
	c.send(&mmswire.FunnelInfo{PlayIncarnation: mmswire.UsePacketPair})
	var sizes []int
	var ids []uint32
	for range 3 {
		f := ask[*mmswire.ReportFunnelInfo](c, nil)
		if f.PlayIncarnation != mmswire.PacketPairTCPHighEntropy {
			t.Errorf("%#x", f.PlayIncarnation)
		}
		sizes = append(sizes, len(mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(f))))
		ids = append(ids, f.NCubs)
	}
	if d := cmp.Diff([]int{512, 512, 1056}, sizes); d != "" || ids[0] == 0 || len(slices.Compact(ids)) != 1 {
		t.Errorf("ids %v, sizes (-want +got):\n%s", ids, d)
	}
}

func TestMMSPaths(t *testing.T) {
	s := serveMMS(t, "127.0.0.37", Config{Redirect: map[string]string{"/moved/film.wmv": "mmst://192.0.2.1/film.wmv"}})
	c := dialMMS(t, s)
	c.connect(tcpFunnel)
	for path, want := range map[string]uint32{
		"/sample.wmv": hrOK, "sample%2Ewmv": hrOK, "sample.wmv?x=1": hrOK, "sampl%65.wmv?WMCache=0": hrOK, "none.wmv": hrFileNotFound,
		"": hrFileNotFound, "%zz": hrFileNotFound, "../sample.wmv": hrFileNotFound, strings.Repeat("a/", 9000): hrFileNotFound,
	} {
		o := ask[*mmswire.ReportOpenFile](c, &mmswire.OpenFile{PlayIncarnation: 1, FileName: path})
		if o.HR != want || (o.OpenFileID == 1) != (want == hrOK) {
			t.Errorf("%.30q: %#x, file %d, want %#x", path, o.HR, o.OpenFileID, want)
		}
	}
	r := ask[*mmswire.ReportRedirect](c, &mmswire.OpenFile{PlayIncarnation: 1, FileName: "moved/fil%6d.wmv?x"})
	if r.RedirectType != 1 || r.Location != "mmst://192.0.2.1/film.wmv" {
		t.Errorf("%+v", r)
	}
	c.ended()
}

func TestMMSCredentials(t *testing.T) {
	s := serveMMS(t, "127.0.0.38", Config{Users: map[string]string{"alice": "secret"}})
	token := func(text string) []byte { return []byte(base64.StdEncoding.EncodeToString([]byte(text)) + "\x00") }
	begin := func() *mmsClient {
		c := dialMMS(t, s)
		if a := ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{SubscriberName: subscriber}); a.AuthenPackage != "BASIC" {
			t.Errorf("authentication %q", a.AuthenPackage)
		}
		ask[*mmswire.ReportConnectedFunnel](c, &mmswire.ConnectFunnel{FunnelName: tcpFunnel})
		return c
	}
	c := begin()
	ch := ask[*mmswire.SecurityChallenge](c, &mmswire.OpenFile{PlayIncarnation: 1, FileName: "sample.wmv"})
	if text := strings.ReplaceAll(string(ch.Token), "\x00", ""); text != `realm="`+realm+`"` || ch.PlayIncarnation != 1 {
		t.Errorf("challenge %q, incarnation %d", text, ch.PlayIncarnation)
	}
	ch = ask[*mmswire.SecurityChallenge](c, &mmswire.SecurityResponse{PlayIncarnation: 1, Cookie: ch.Cookie, Token: token("alice:wrong")})
	o := ask[*mmswire.ReportOpenFile](c, &mmswire.SecurityResponse{PlayIncarnation: 2, Cookie: ch.Cookie, Token: token("alice:secret")})
	if o.HR != hrOK || o.OpenFileID != 1 || o.PlayIncarnation != 2 {
		t.Errorf("%+v", o)
	}
	c = begin()
	if o = ask[*mmswire.ReportOpenFile](c, &mmswire.OpenFile{FileName: "sample.wmv", TokenData: token("alice:secret")}); o.HR != hrOK {
		t.Errorf("credentials in OpenFile: %#x", o.HR)
	}
	c = begin()
	ch = ask[*mmswire.SecurityChallenge](c, &mmswire.OpenFile{FileName: "sample.wmv", TokenData: []byte("garbage")})
	ch = ask[*mmswire.SecurityChallenge](c, &mmswire.SecurityResponse{Cookie: ch.Cookie, Token: nil})
	o = ask[*mmswire.ReportOpenFile](c, &mmswire.SecurityResponse{Cookie: ch.Cookie, Token: token("bob:secret")})
	if o.HR != hrAccessDenied {
		t.Errorf("wrong three times: %#x", o.HR)
	}
}

// TestMMSOutOfTurn asks for what is not there yet.
func TestMMSOutOfTurn(t *testing.T) {
	s := serveMMS(t, "127.0.0.39", Config{})
	c := dialMMS(t, s)
	ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{SubscriberName: subscriber})
	if a := ask[*mmswire.ReportReadBlock](c, &mmswire.ReadBlock{OpenFileID: 1, PlayIncarnation: 2}); a.HR != hrInvalid {
		t.Errorf("read block: %#x", a.HR)
	}
	if a := ask[*mmswire.ReportStartedPlaying](c, startPlaying(4)); a.HR != hrInvalid {
		t.Errorf("start playing: %#x", a.HR)
	}
	if a := ask[*mmswire.ReportStreamSwitch](c, &mmswire.StreamSwitch{}); a.HR != hrUnexpected {
		t.Errorf("stream switch: %#x", a.HR)
	}
	if a := ask[*mmswire.ReportOpenFile](c, &mmswire.SecurityResponse{}); a.HR != hrUnexpected {
		t.Errorf("security response: %#x", a.HR)
	}
	if a := ask[*mmswire.ReportStartStriding](c, &mmswire.StartStriding{PlayIncarnation: 9, Rate: 5}); a.HR != hrNotImpl || a.PlayIncarnation != 9 {
		t.Errorf("start striding: %+v", a)
	}
	c.send(&mmswire.CancelReadBlock{})
	c.send(&mmswire.Unknown{ID: 0x0003ffff, Data: make([]byte, 8)})
	c.send(&mmswire.Logging{Log: mmswire.AppendClientLog(nil, mmswire.ClientLog{Transport: "UDP", ResendRequests: 7})})
	ask[*mmswire.ReportEndOfStream](c, &mmswire.StopPlaying{PlayIncarnation: 1})
	if l := s.Snapshot(); len(l.ClientLogs) != 1 || l.ClientLogs[0].Log.ResendRequests != 7 || l.Connections != 1 || l.Messages[0].Text != subscriber {
		t.Errorf("log %+v", l)
	}
	c.send(&mmswire.Connect{})
	c.ended()
	for name, b := range map[string][]byte{
		"no connect":    mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(&mmswire.FunnelInfo{})),
		"data packet":   mmswire.AppendData(nil, mmswire.Data{Payload: []byte("x")}),
		"short message": mmswire.AppendPacket(nil, 0, 0, mmswire.Raw{MID: mmswire.MIDLogging, Body: make([]byte, 8)}),
		"garbage":       []byte("GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"),
		"huge":          {1, 0, 0, 0, 0xce, 0xfa, 0x0b, 0xb0, 0xff, 0xff, 0xff, 0x7f, 'M', 'M', 'S', ' '},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialMMS(t, s)
			if _, err := c.tcp.Write(b); err != nil {
				t.Fatal(err)
			}
			c.ended()
		})
	}
	eventually(t, "no connection is left", func() bool { return s.Snapshot().Connections == 0 })
}

// TestMMSPings answers pings for as long as it likes.
func TestMMSPings(t *testing.T) {
	s := serveMMS(t, "127.0.0.41", Config{Ping: 50 * time.Millisecond})
	c := dialMMS(t, s)
	ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{SubscriberName: subscriber})
	begin := time.Now()
	for range 3 {
		ask[*mmswire.Ping](c, nil)
		c.send(&mmswire.Pong{Param1: 1})
	}
	if d := time.Since(begin); d < 2*50*time.Millisecond { // the first may be due already
		t.Errorf("three pings within %s", d)
	}
}

// TestMMSIdle only answers pings until it is thrown out.
func TestMMSIdle(t *testing.T) {
	const idle = 4 * time.Second // in which a busy machine asks what is asked here
	s := serveMMS(t, "127.0.0.41", Config{Ping: 50 * time.Millisecond, Idle: idle})
	c := dialMMS(t, s)
	begin := time.Now()
	ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{SubscriberName: subscriber})
	for {
		m, err := c.next()
		if err != nil {
			break
		}
		if m.MID() != mmswire.MIDPing {
			t.Fatalf("%s", m.MID())
		}
		// It may be thrown out meanwhile.
		_, _ = c.tcp.Write(mmswire.AppendPacket(nil, c.seq, 0, mmswire.Encode(&mmswire.Pong{Param1: 1})))
		c.seq++
	}
	if d := time.Since(begin); d < idle || d > 5*idle {
		t.Errorf("thrown out after %s", d)
	}
}

func TestMMSConfig(t *testing.T) {
	at, other := netip.MustParseAddrPort("127.0.0.40:0"), netip.MustParseAddrPort("127.0.0.41:0")
	for name, cfg := range map[string]Config{
		"other address": {Listen: at, MMS: other}, "negative ping": {Listen: at, MMS: at, Ping: -1}, "negative idle": {Listen: at, Idle: -1},
	} {
		if s, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
			_ = s.Close()
		}
	}
	s := serveMMS(t, "127.0.0.40", Config{})
	if want := "mms://" + s.MMSAddr().String() + "/a.wmv"; s.MMSURL("/a.wmv") != want || s.MMSAddr().Port() == 0 {
		t.Errorf("url %q, want %q", s.MMSURL("/a.wmv"), want)
	}
	plain, err := New(Config{Listen: at, Dir: filepath.Join(t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	if plain.MMSURL("a") != "" || plain.MMSAddr().IsValid() {
		t.Error("an address without mms")
	}
	if err := plain.Close(); err != nil {
		t.Error(err)
	}
	u, err := net.ListenPacket("udp", s.MMSAddr().String())
	if err == nil {
		t.Error("the port of resend requests is free")
		_ = u.Close()
	}
}

// TestSelection changes streams while they are sent: the new one begins with a key frame, until which the old one goes on.
func TestSelection(t *testing.T) {
	f := &asf.File{Info: asf.Info{Streams: []asf.Stream{{Number: 1}, {Number: 2}, {Number: 3}}}}
	var s selection
	s.change(f, []mmswire.StreamSwitchEntry{{Src: noStream, Dst: 1}, {Src: noStream, Dst: 3}}, false)
	s.change(f, []mmswire.StreamSwitchEntry{{Src: 1, Dst: 2}, {Src: 3, Dst: 3, Thinning: 1}}, true)
	for i, x := range []struct {
		payload asf.Payload
		want    bool
	}{
		{asf.Payload{Stream: 1}, true}, {asf.Payload{Stream: 2}, false}, {asf.Payload{Stream: 3}, false},
		{asf.Payload{Stream: 3, KeyFrame: true}, true}, {asf.Payload{Stream: 2, KeyFrame: true, Offset: 9}, false},
		{asf.Payload{Stream: 1}, true}, {asf.Payload{Stream: 2, KeyFrame: true}, true}, {asf.Payload{Stream: 1}, false},
		{asf.Payload{Stream: 2}, true},
	} {
		if got := s.keep(x.payload); got != x.want {
			t.Errorf("payload %d of stream %d: %v", i, x.payload.Stream, got)
		}
	}
	s.change(f, []mmswire.StreamSwitchEntry{{Src: 2, Dst: 1}}, true)
	if s.settle(); !s.keep(asf.Payload{Stream: 1}) || s.keep(asf.Payload{Stream: 2}) {
		t.Error("a new beginning waits for a key frame")
	}
}

// TestMMSSilence says nothing, or half of something.
func TestMMSSilence(t *testing.T) {
	s := serveMMS(t, "127.0.0.32", Config{Ping: 50 * time.Millisecond})
	s.mms.patience = 5 * time.Second // in which a busy machine says what is said here; before anybody connects
	half := mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(&mmswire.Connect{SubscriberName: subscriber}))
	silent, first, second := dialMMS(t, s), dialMMS(t, s), dialMMS(t, s)
	ask[*mmswire.ReportConnectedEX](second, &mmswire.Connect{SubscriberName: subscriber})
	for c, n := range map[*mmsClient]int{first: 40, second: 10} {
		if _, err := c.tcp.Write(half[:n]); err != nil {
			t.Fatal(err)
		}
	}
	silent.ended()
	first.ended()
	for m, err := second.next(); err == nil; m, err = second.next() {
		if m.MID() != mmswire.MIDPing {
			t.Fatalf("%s", m.MID())
		}
	}
	eventually(t, "no connection is left", func() bool { return s.Snapshot().Connections == 0 })
}
