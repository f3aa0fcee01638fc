package mmswire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMIDs(t *testing.T) {
	ids := MIDs()
	if len(ids) != 28 {
		t.Fatalf("%d messages, and [MS-MMSP] 2.2.4 has 28", len(ids))
	}
	seen := map[MID]bool{}
	for _, m := range samples() {
		seen[m.MID()] = true
	}
	for i, id := range ids {
		if i > 0 && id <= ids[i-1] {
			t.Errorf("%v is after %v", id, ids[i-1])
		}
		side := map[MID]string{3: "LinkViewerToMac", 4: "LinkMacToViewer"}[id>>16]
		if side == "" || !strings.HasPrefix(id.String(), side) || !seen[id] {
			t.Errorf("%08x is %v, in samples: %v", uint32(id), id, seen[id])
		}
		if m, err := Decode(Raw{MID: id, Body: make([]byte, 2048)}); err != nil || m.MID() != id {
			t.Errorf("%v decodes as %v, %v", id, m, err)
		}
	}
	if got := MID(0x3ffff).String(); got != "MID 0x0003ffff" {
		t.Errorf("got %s", got)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, m := range samples() {
		t.Run(m.MID().String(), func(t *testing.T) {
			raw := Encode(m)
			if len(raw.Body)%8 != 0 || raw.MID != m.MID() {
				t.Fatalf("%v of %d bytes", raw.MID, len(raw.Body))
			}
			got, err := Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, got); diff != "" {
				t.Error(diff)
			}
			// What nobody understands is kept: more after the last field.
			odd := Raw{raw.MID, append(bytes.Clone(raw.Body), 0, 0, 0, 0, 0, 0, 0, 1)}
			if got, err = Decode(odd); err != nil || !bytes.Equal(Encode(got).Body, odd.Body) {
				t.Errorf("with more bytes got %+v, %v", got, err)
			}
		})
	}
}

// TestCutMessages: at each length Decode gives a message or a SyntaxError, and what it gives can be written.
func TestCutMessages(t *testing.T) {
	for _, m := range samples() {
		raw := Encode(m)
		for n := range raw.Body {
			got, err := Decode(Raw{raw.MID, raw.Body[:n:n]})
			var syntax *SyntaxError
			switch {
			case err != nil && (!errors.As(err, &syntax) || syntax.Offset > int64(n)):
				t.Errorf("%v cut at %d: %v", raw.MID, n, err)
			case err == nil && len(Encode(got).Body)%8 != 0:
				t.Errorf("%v cut at %d is not padded", raw.MID, n)
			}
		}
	}
}

const deadline3600 = "0000000000000000 000000000020ac40" // tEarliest 0, tDeadline 3600

// TestPlayers has the bodies that players send: source VLC modules/access/mms/mmstu.c, FFmpeg libavformat/mmst.c, MPlayer
// stream/asf_mmst_streaming.c, libmms src/mms.c.
func TestPlayers(t *testing.T) {
	const vlcName = "NSPlayer/7.0.0.1956; {0xbabac001-0x32fa-0x8292-0x1b4f523df6351046}; Host: fd99:2::2"
	const ffName = "NSPlayer/7.0.0.1956; {7E667F5D-A661-495E-A512-F55686DDA178}; Host: 192.0.2.1"
	stray := "\x000"
	for _, tc := range []struct {
		name, body string
		want       Message
	}{
		{"VLC Connect", "00000000 0b000400 1c000300" + hexText(vlcName+nul), &Connect{0, 0x4000b, 0x3001c, vlcName, Tail{}}},
		{"FFmpeg Connect", "00000000 0b000400 1c000300" + hexText(ffName+nul), &Connect{0, 0x4000b, 0x3001c, ffName, Tail{}}},
		{"FFmpeg FunnelInfo", "f0f0f000 0b000400", &FunnelInfo{0x00f0f0f0, Tail{[]byte{0x0b, 0, 4, 0}}}},
		{"VLC ConnectFunnel, which has no NUL at its end", "00000000 ffffffff 00000000 00000a00 02000000" + hexText(`\\10.99.1.2\UDP\7000`+stray),
			&ConnectFunnel{0, 0xffffffff, 0, 655360, 2, `\\10.99.1.2\UDP\7000` + stray, Tail{[]byte{}}}},
		{"VLC ConnectFunnel over TCP", "00000000 ffffffff 00000000 00000a00 02000000" + hexText(`\\192.168.0.1\TCP\1242`+stray),
			&ConnectFunnel{0, 0xffffffff, 0, 655360, 2, `\\192.168.0.1\TCP\1242` + stray, Tail{}}},
		{"VLC ConnectFunnel, IPv6", "00000000 ffffffff 00000000 00000a00 02000000" + hexText(`\\fd99:1::2\UDP\7000`+stray),
			&ConnectFunnel{0, 0xffffffff, 0, 655360, 2, `\\fd99:1::2\UDP\7000` + stray, Tail{[]byte{}}}},
		{"FFmpeg ConnectFunnel", "00000000 ffffffff 00000000 80969800 02000000" + hexText(`\\192.168.0.129\TCP\1037`+nul),
			&ConnectFunnel{0, 0xffffffff, 0, 10000000, 2, `\\192.168.0.129\TCP\1037`, Tail{}}},
		{"MPlayer ConnectFunnel", "00000000 00000000 00000000 00000000 02000000" + hexText(`\\192.168.0.1\TCP\1037`+nul),
			&ConnectFunnel{0, 0, 0, 0, 2, `\\192.168.0.1\TCP\1037`, Tail{}}},
		{"VLC OpenFile", "01000000 ffffffff 00000000 00000000" + hexText("dir/a%20b.wmv\x00"), &OpenFile{1, 0xffffffff, 0, "dir/a%20b.wmv", nil, Tail{}}},
		{"MPlayer OpenFile", "00000000 00000000 00000000 00000000" + hexText("dir/a b.wmv?x=1\x00"), &OpenFile{0, 0, 0, "dir/a b.wmv?x=1", nil, Tail{}}},
		{"OpenFile without a NUL", "01000000 00000000 00000000 00000000" + hexText("abcd.asf"), &OpenFile{1, 0, 0, "abcd.asf", nil, Tail{[]byte{}}}},
		{"VLC ReadBlock", "01000000 00000000 00000000 00800000 ffffffff 00000000" + deadline3600 + "02000000 00000000",
			&ReadBlock{1, 0, 0, 0x8000, 0xffffffff, 0, 0, 3600, 2, 0, Tail{}}},
		{"FFmpeg ReadBlock", "01000000 00000000 00000000 00008000 ffffffff 00000000" + deadline3600 + "02000000 00000000",
			&ReadBlock{1, 0, 0, 0x800000, 0xffffffff, 0, 0, 3600, 2, 0, Tail{}}},
		{"MPlayer ReadBlock", "01000000" + strings.Repeat("00", 36) + "02000000 00000000", &ReadBlock{OpenFileID: 1, PlayIncarnation: 2}},
		{"VLC StreamSwitch", "02000000 ffff 0100 0000 ffff 0200 0200",
			&StreamSwitch{[]StreamSwitchEntry{{0xffff, 1, 0}, {0xffff, 2, 2}}, Tail{}}},
		{"MPlayer StreamSwitch of one stream", "01000000 ffff 0200 0000 ffff 0200 0000",
			&StreamSwitch{[]StreamSwitchEntry{{0xffff, 2, 0}}, Tail{[]byte{0xff, 0xff, 2, 0, 0, 0}}}},
		{"VLC StartPlaying", "01000000 ffff0100 0000000000000000 ffffffff 05000000 ffffff00 04000000",
			&StartPlaying{OpenFileID: 1, Padding: 0x1ffff, AsfOffset: 0xffffffff, LocationID: 5, FrameOffset: 0xffffff, PlayIncarnation: 4}},
		{"MPlayer StartPlaying", "01000000 ffff0200 0000000000000000 ffffffff ffffffff 00000000 04000000",
			&StartPlaying{OpenFileID: 1, Padding: 0x2ffff, AsfOffset: 0xffffffff, LocationID: 0xffffffff, PlayIncarnation: 4}},
		{"libmms StartPlaying at 15.1 s", "01000000 ffff0100 3333333333332e40 ffffffff ffffffff ffffff00 05000000",
			&StartPlaying{OpenFileID: 1, Padding: 0x1ffff, Position: 15.1, AsfOffset: 0xffffffff, LocationID: 0xffffffff, FrameOffset: 0xffffff, PlayIncarnation: 5}},
		{"VLC StopPlaying", "01000000 ffff1f00", &StopPlaying{1, 0x1fffff, Tail{}}},
		{"FFmpeg CloseFile", "01000000 01000000", &CloseFile{1, 1, Tail{}}},
		{"FFmpeg Pong", "01000000 ffff0001", &Pong{1, 0x0100ffff, Tail{}}},
		{"WMS 4 FunnelName", "00000000 99999999 99999999" + hexText("Funnel Of The "), &ReportConnectedFunnel{0, 0x99999999, 0x99999999, "Funnel Of The ", Tail{[]byte{}}}},
		{"FunnelName of the spec, without a NUL", "00000000 00000000 00000000" + hexText("Funnel Of The Gods"),
			&ReportConnectedFunnel{0, 0, 0, "Funnel Of The Gods", Tail{[]byte{}}}},
		{"WMS padding that is not zero", "00000000 04000000 00000000 deadbeef", &ReportReadBlock{0, 4, 0, Tail{[]byte{0xde, 0xad, 0xbe, 0xef}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := unhex(t, tc.body)
			raw := Raw{tc.want.MID(), append(body, make([]byte, padding(len(body)))...)}
			got, err := Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if back := Encode(got).Body; !bytes.Equal(back, raw.Body) {
				t.Errorf("written as\n%x, was\n%x", back, raw.Body)
			}
		})
	}
}

func TestDecodeFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		id   MID
		body string
		want string
	}{
		{"half a field", MIDStopPlaying, "01000000 0100", "LinkViewerToMacStopPlaying at byte 4: it ends in the middle"},
		{"token after the end", MIDOpenFile, "01000000 00000000 10000000 08000000 61000000 00000000", "ends in the middle"},
		{"token data over the end", MIDOpenFile, "01000000 00000000 04000000 ffffffff 61000000 00000000", "ends in the middle"},
		{"token at half a character", MIDOpenFile, "01000000 00000000 03000000 01000000 61000000 00000000", "half a character"},
		{"more entries than bytes", MIDStreamSwitch, "ffffff0f 00000000", "ends in the middle"},
		{"more token than bytes", MIDSecurityChallenge, "00000000 00000000 00000080 00000000", "ends in the middle"},
		{"more text than bytes", MIDReportRedirect, "00000000 0100 0a00 6100 0000 0000 0000", "ends in the middle"},
		{"half a character", MIDReportRedirect, "00000000 0100 0300 6100 0000 0000 0000", "half a character"},
		{"text count that wraps", MIDReportConnectedEX, strings.Repeat("00", 40) + "00000080 00000000 00000000 00000000", "ends in the middle"},
		{"success cut short", MIDReportReadBlock, "00000000 04000000", "ends in the middle"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := Decode(Raw{tc.id, unhex(t, tc.body)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v", m, err)
			}
		})
	}
}

// TestFailureMayEndEarly: a server that has no file has no fields of one.
func TestFailureMayEndEarly(t *testing.T) {
	m, err := Decode(Raw{MIDReportOpenFile, unhex(t, "1a000dc0 01000000")})
	want := &ReportOpenFile{HR: 0xc00d001a, PlayIncarnation: 1}
	if diff := cmp.Diff(Message(want), m); err != nil || diff != "" {
		t.Error(err, diff)
	}
	m, err = Decode(Raw{MIDReportConnectedEX, unhex(t, "05000780 f0f0f0f0 0b00")})
	if diff := cmp.Diff(Message(&ReportConnectedEX{HR: 0x80070005, PlayIncarnation: UsePacketPair}), m); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestCountedTexts(t *testing.T) {
	body := Encode(&ReportConnectedEX{ServerVersionInfo: "4.1.0.3920", VersionInfo: nul, AuthenPackage: "BASIC"}).Body
	counts := []uint32{11, 1, 0, 6}
	for i, want := range counts {
		if got := binary.LittleEndian.Uint32(body[40+4*i:]); got != want {
			t.Errorf("count %d is %d, want %d", i, got, want)
		}
	}
	long := strings.Repeat("a", 40000)
	m, err := Decode(Encode(&ReportRedirect{RedirectType: 1, Location: long}))
	if r, ok := m.(*ReportRedirect); err != nil || !ok || r.Location != long[:32766] {
		t.Errorf("got %v", err)
	}
	// Without the NUL that must be there: read, and written with it.
	m, err = Decode(Raw{MIDReportRedirect, unhex(t, "00000000 0100 0200 6100 0000 0000 0000")})
	if r, ok := m.(*ReportRedirect); err != nil || !ok || r.Location != "a" || Encode(r).Body[6] != 4 {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestTextThatIsNone(t *testing.T) {
	for _, tc := range []struct{ name, wire, want string }{
		{"pair", "3dd800de", "😀"},
		{"high half alone", "3dd86100", "\xed\xa0\xbda"},
		{"low half alone", "00de", "\xed\xb8\x80"},
		{"halves the wrong way", "00de3dd8", "\xed\xb8\x80\xed\xa0\xbd"},
		{"replacement character", "fdff", "�"},
	} {
		wire := unhex(t, tc.wire)
		if got := parseText(wire); got != tc.want || !bytes.Equal(appendText(nil, got), wire) {
			t.Errorf("%s: %q, written %x", tc.name, got, appendText(nil, got))
		}
	}
	if got := appendText(nil, "\xff\xed\xa0"); !bytes.Equal(got, unhex(t, "fdff fdff fdff")) {
		t.Errorf("bytes that are no text are written %x", got)
	}
}

func TestFloats(t *testing.T) {
	for _, bits := range []uint64{0x7ff0000000000001, 0xfff8000000000123, math.Float64bits(math.MaxFloat64), 1} {
		body := make([]byte, 32)
		binary.LittleEndian.PutUint64(body[8:], bits)
		m, err := Decode(Raw{MIDStartPlaying, body})
		if err != nil || !bytes.Equal(Encode(m).Body, body) {
			t.Errorf("%016x: %v, %x", bits, err, Encode(m).Body)
		}
	}
}
