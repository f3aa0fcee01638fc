package mmswire

import (
	"bytes"
	"encoding/hex"
	"io"
	"math"
	"strings"
	"testing"
	"unicode"
)

// unhex reads bytes in hexadecimal; white space does not count, nor does what follows a "#" on its line.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, line))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hexText writes a text in hexadecimal, as it is in a message.
func hexText(text string) string { return hex.EncodeToString(appendText(nil, text)) }

// samples has each message once or more, with values in all fields.
func samples() []Message {
	entry := StreamSwitchEntry{Src: 0xffff, Dst: 2, Thinning: 1}
	return []Message{
		&Connect{DisablePacketPair, MacToViewerRevision, ViewerToMacRevision,
			"NSPlayer/9.0.0.2980; {0a0b0c0d-0000-0000-0000-000000000001}; Host: media.test\x00HOST: media.test:1755\x00VIA: a/1, b/2", Tail{}},
		&ConnectFunnel{0, 0xffffffff, 0, 10000000, 2, `\\192.0.2.7\UDP\7000`, Tail{}},
		&OpenFile{1, 0, 0, "dir/grüße 😀.wmv", nil, Tail{}},
		&OpenFile{1, 0, 16, "abc.asf", []byte("dXNlcjpwYXNz\x00"), Tail{}},
		&StartPlaying{OpenFileID: 1, Position: math.MaxFloat64, AsfOffset: 0xffffffff, LocationID: 7, PlayIncarnation: 4},
		&StartPlaying{OpenFileID: 1, Position: 1.5, PlayIncarnation: 4, Optional: 2, AccelBandwidth: 3500000, AccelDuration: 10000},
		&StartPlaying{OpenFileID: 1, PlayIncarnation: 4, Optional: 3, AccelBandwidth: 1, AccelDuration: 2, LinkBandwidth: 3},
		&StopPlaying{1, 0x1fffff, Tail{}},
		&CloseFile{1, 1, Tail{}},
		&ReadBlock{OpenFileID: 1, Length: 0x8000, Flags: 0xffffffff, TDeadline: 3600, PlayIncarnation: 2},
		&FunnelInfo{UsePacketPair, Tail{}},
		&SecurityResponse{1, 0x77, []byte("dXNlcjpwYXNz\x00"), Tail{}},
		&Pong{1, 0x0100ffff, Tail{}},
		&CancelReadBlock{2, Tail{}},
		&StartStriding{OpenFileID: 1, Position: 4, AsfOffset: 0xffffffff, LocationID: 0xffffffff, PlayIncarnation: 5, Rate: -5},
		&Logging{AppendClientLog(nil, sampleLog()), Tail{}},
		&StreamSwitch{[]StreamSwitchEntry{entry, entry, entry}, Tail{}},
		&ReportConnectedEX{0, UsePacketPair, MacToViewerRevision, ViewerToMacRevision, 1, 1, 1, 0x8000, 10000000,
			"9.01.01.5001", "10.0", "http://download.test/", "NTLM", Tail{}},
		&ReportConnectedFunnel{FunnelName: "Funnel Of The Gods"},
		&ReportDisconnectedFunnel{0x80070005, 0, Tail{}},
		&ReportStartedPlaying{0, 4, 1, 0x40000000, [12]byte{}, Tail{}},
		&ReportOpenFile{HR: 0, PlayIncarnation: 1, OpenFileID: 1, FileAttributes: AttributeCanSeek | AttributeCanStride, FileDuration: 12.5,
			FileBlocks: 13, FilePacketSize: 1444, FilePacketCount: 416, FileBitRate: 300000, FileHeaderSize: 642},
		&ReportStartStriding{0, 5, 0, Tail{}},
		&ReportReadBlock{0, 2, 0, Tail{}},
		&ReportFunnelInfo{0, DisablePacketPair, 8, 1, 0x10000, 0xcafe, 0, 1, 0, 0, nil},
		&ReportFunnelInfo{0, UsePacketPair, 8, 1, 0x10000, 0xcafe, 0, 1, 0, 0, bytes.Repeat([]byte{0xa5}, 1024)},
		&SecurityChallenge{1, 0x77, appendText(nil, "realm=\"\"\x00"), Tail{}},
		&Ping{},
		&ReportEndOfStream{1, 4, Tail{}},
		&ReportStreamChange{0, 0xff, 1444, 700, 250000, 0, Tail{}},
		&ReportStreamSwitch{},
		&ReportRedirect{0x400d0bc8, 1, "mms://other.test/a b.wmv", Tail{}},
		&ReportRedirect{0x400d0bc8, 2, "", Tail{}},
		&Unknown{0x00030042, []byte("12345678")},
	}
}

func sampleLog() ClientLog {
	return ClientLog{
		Info: ClientLogInfo{URL: "mms://media.test/a.wmv", UserAgent: "", ClientVersion: 10<<48 | 3646, Lang: "de-DE",
			UniquePID: "{0a0b0c0d-0000-0000-0000-000000000001}", HostExe: "wmplayer.exe", HostExeVersion: 10<<48 | 1<<32 | 2<<16 | 3,
			FileDuration: 12500, FileSize: 1 << 33, AvgBandwidth: 300000, AudioCodec: "Windows Media Audio 9", VideoCodec: "Windows Media Video 9",
			StartTime: 1, Played: 12400, Rate: -2, BufferingCount: 3, BufferingTime: 400, BytesReceived: 1 << 32, PacketsReceived: 416,
			PacketsLostClient: 4, PacketsRecoveredECC: 5, MinReceptionQuality: 98, HR: 6},
		SourceID: 1, IPAddress: 0xffffffff, ComputerDNS: "pc.test", OS: "Windows_XP", OSVersion: 5<<48 | 1<<32 | 2600<<16, CPU: "Pentium",
		Proto: "mms", Transport: "UDP", PacketsLostNet: 7, PacketsLostContNet: 8, ResendRequests: 9, PacketsRecoveredResent: 10, PacketsResent: 11,
	}
}

// conversation is a stream with packets and Data packets in turn, and the offsets at which an item begins.
func conversation() ([]byte, map[int]bool) {
	var b []byte
	begins := map[int]bool{0: true}
	for i, m := range samples() {
		b = AppendPacket(b, uint16(i), uint64(i)<<33, Encode(m))
		begins[len(b)] = true
		b = AppendData(b, Data{LocationID: uint32(i), PlayIncarnation: 4, AFFlags: uint8(i), Payload: make([]byte, 37*i)})
		begins[len(b)] = true
	}
	b = AppendPacket(b, 1000, 0, Encode(&Ping{}), Encode(&ReportEndOfStream{}), Encode(&FunnelInfo{}))
	begins[len(b)] = true
	b = AppendPacket(b, 1001, 0)
	begins[len(b)] = true
	return b, begins
}

// rewrite reads all of r and writes what it read, until an error.
func rewrite(r io.Reader, lim Limits) ([]byte, error) {
	var b []byte
	for rd := NewReader(r, lim); ; {
		item, err := rd.Read()
		switch item := item.(type) {
		case *Packet:
			b = AppendPacket(b, item.Seq, item.TimeSent, item.Messages...)
		case *Data:
			b = AppendData(b, *item)
		default:
			return b, err
		}
	}
}
