package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/mms/mmswire"
)

// wireMessages has every message of mmswire once, as our origin, player and gateway write them.
func wireMessages() []mmswire.Message {
	return []mmswire.Message{
		&mmswire.Connect{PlayIncarnation: mmswire.DisablePacketPair, MacToViewerProtocolRevision: mmswire.MacToViewerRevision,
			ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision,
			SubscriberName:              "NSPlayer/9.0.0.2980; {0a0b0c0d-0000-0000-0000-000000000001}; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: mediagate/1.0"},
		&mmswire.ConnectFunnel{MaxBlockBytes: 0xffffffff, MaxBitRate: 10000000, FunnelMode: 2, FunnelName: `\\192.0.2.7\UDP\7000`},
		&mmswire.OpenFile{PlayIncarnation: 1, FileName: "dir/a b.wmv"},
		&mmswire.StartPlaying{OpenFileID: 1, AsfOffset: 0xffffffff, LocationID: 0xffffffff, PlayIncarnation: 4},
		&mmswire.StopPlaying{OpenFileID: 1, PlayIncarnation: 4},
		&mmswire.CloseFile{PlayIncarnation: 1, OpenFileID: 1},
		&mmswire.ReadBlock{OpenFileID: 1, Length: 0x8000, Flags: 0xffffffff, TDeadline: 3600, PlayIncarnation: 2},
		&mmswire.FunnelInfo{PlayIncarnation: mmswire.DisablePacketPair},
		&mmswire.SecurityResponse{PlayIncarnation: 1, Cookie: 7, Token: []byte("dXNlcjpwYXNz\x00")},
		&mmswire.Pong{},
		&mmswire.CancelReadBlock{PlayIncarnation: 2},
		&mmswire.StartStriding{OpenFileID: 1, AsfOffset: 0xffffffff, LocationID: 9, PlayIncarnation: 5, Rate: -5},
		&mmswire.Logging{Log: mmswire.AppendClientLog(nil, mmswire.ClientLog{OS: "Windows_XP", Transport: "UDP", Proto: "mms"})},
		&mmswire.StreamSwitch{Entries: []mmswire.StreamSwitchEntry{{Src: 0xffff, Dst: 1}, {Src: 0xffff, Dst: 2, Thinning: 2}}},
		&mmswire.ReportConnectedEX{PlayIncarnation: mmswire.UsePacketPair, MacToViewerProtocolRevision: mmswire.MacToViewerRevision,
			ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision, BlockGroupPlayTime: 1, BlockGroupBlocks: 1, NMaxOpenFiles: 1, NBlockMaxBytes: 0x8000,
			MaxBitRate: 10000000, ServerVersionInfo: "9.01.01.5001", VersionInfo: "10.0", VersionURL: "http://d.test/", AuthenPackage: "NTLM"},
		&mmswire.ReportConnectedFunnel{FunnelName: "Funnel Of The Gods"},
		&mmswire.ReportDisconnectedFunnel{HR: 0x80070005},
		&mmswire.ReportStartedPlaying{PlayIncarnation: 4, TigerFileID: 1},
		&mmswire.ReportOpenFile{PlayIncarnation: 1, OpenFileID: 1, FileAttributes: mmswire.AttributeCanSeek, FileDuration: 12.5, FileBlocks: 13,
			FilePacketSize: 1444, FilePacketCount: 416, FileBitRate: 300000, FileHeaderSize: 642},
		&mmswire.ReportStartStriding{PlayIncarnation: 5},
		&mmswire.ReportReadBlock{PlayIncarnation: 2},
		&mmswire.ReportFunnelInfo{PlayIncarnation: mmswire.DisablePacketPair, TransportMask: 8, NBlockFragments: 1, FragmentBytes: 0x10000, NCubs: 0xcafe, NDisks: 1},
		&mmswire.SecurityChallenge{PlayIncarnation: 1, Cookie: 7, Token: []byte("r\x00e\x00a\x00l\x00m\x00=\x00\x00\x00")},
		&mmswire.Ping{},
		&mmswire.ReportEndOfStream{PlayIncarnation: 4},
		&mmswire.ReportStreamChange{TCPHdrIncarnation: 0xff, PacketSize: 1444, HeaderSize: 700, BitRate: 250000},
		&mmswire.ReportStreamSwitch{},
		&mmswire.ReportRedirect{RedirectType: 1, Location: "mms://other.test/a.wmv"},
	}
}

// mmsCapture is a capture file of one client (192.0.2.7) and one server (192.0.2.1), made by hand.
type mmsCapture struct {
	bytes.Buffer
	sent [2]uint32 // bytes of TCP: by the client, by the server
}

// newMMSCapture begins a file of the classic format whose frames are IPv4 packets (LINKTYPE_RAW).
func newMMSCapture() *mmsCapture {
	c := &mmsCapture{}
	le := binary.LittleEndian
	c.Write(le.AppendUint32(nil, 0xa1b2c3d4))
	c.Write([]byte{2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	c.Write(le.AppendUint32(le.AppendUint32(nil, 1<<18), 101))
	return c
}

// frame adds an IPv4 packet. Checksums stay zero: tshark does not look.
func (c *mmsCapture) frame(server bool, protocol byte, segment []byte) {
	from, to := byte(7), byte(1)
	if server {
		from, to = to, from
	}
	n := uint32(20 + len(segment))
	ip := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, from, 192, 0, 2, to}
	le := binary.LittleEndian
	head := le.AppendUint32(le.AppendUint32(make([]byte, 8), n), n)
	c.Write(head)
	c.Write(ip)
	c.Write(segment)
}

// tcp adds a segment between port 40000 of the client and 1755 of the server.
func (c *mmsCapture) tcp(server bool, payload []byte) {
	be := binary.BigEndian
	from, to, side := uint16(40000), uint16(1755), 0
	if server {
		from, to, side = to, from, 1
	}
	b := be.AppendUint16(be.AppendUint16(nil, from), to)
	b = be.AppendUint32(be.AppendUint32(b, 1000+c.sent[side]), 1000+c.sent[1-side])
	b = append(b, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0)
	c.sent[side] += uint32(len(payload))
	c.frame(server, 6, append(b, payload...))
}

// udp adds a datagram between port 7000 of the client and 1755 of the server.
func (c *mmsCapture) udp(server bool, payload []byte) {
	be := binary.BigEndian
	from, to := uint16(7000), uint16(1755)
	if server {
		from, to = to, from
	}
	b := be.AppendUint16(be.AppendUint16(nil, from), to)
	b = be.AppendUint16(be.AppendUint16(b, uint16(8+len(payload))), 0)
	c.frame(server, 17, append(b, payload...))
}

// readMMS has tshark read the file: one line a frame, with the fields in it.
func (c *mmsCapture) readMMS(t *testing.T, fields ...string) [][]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mms.pcap")
	if err := os.WriteFile(file, c.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=/t"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.CommandContext(t.Context(), "tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// TestTsharkReadsMMS has a program that we did not write take apart every message, Data packet and resend request that
// we write: each is what we meant, and none is malformed.
func TestTsharkReadsMMS(t *testing.T) {
	Need(t, "tshark")
	c := newMMSCapture()
	var want [][]string
	missing := map[mmswire.MID]bool{}
	for _, id := range mmswire.MIDs() {
		missing[id] = true
	}
	for i, m := range wireMessages() {
		raw := mmswire.Encode(m)
		server := raw.MID>>16 == 4
		packet := mmswire.AppendPacket(nil, uint16(i), uint64(i), raw)
		c.tcp(server, packet)
		id, blocks := fmt.Sprintf("0x%04x", uint16(raw.MID)), strconv.Itoa(len(packet)/8-2)
		row := []string{"msmms", id, "", strconv.Itoa(len(packet) - 16), blocks, strconv.Itoa(i), "", "", ""}
		if server {
			row[1], row[2] = row[2], row[1]
		}
		want = append(want, row)
		delete(missing, raw.MID)
	}
	if len(missing) > 0 {
		t.Errorf("the test does not write %v", missing)
	}
	// Over TCP the dissector knows Data packets by their AFFlags: 0, or those of a header.
	data := mmswire.Data{LocationID: 77, PlayIncarnation: 4, Payload: make([]byte, 1444)}
	c.tcp(true, mmswire.AppendData(nil, data))
	c.tcp(true, mmswire.AppendData(nil, mmswire.Data{LocationID: 1, PlayIncarnation: 2, AFFlags: 12, Payload: make([]byte, 92)}))
	data.AFFlags = 5
	c.udp(true, mmswire.AppendData(nil, data))
	c.udp(false, mmswire.AppendResend(nil, mmswire.ResendRequest{ClientID: 0xcafe, SourceID: 1, Packets: []uint32{258, 260}}))
	for _, sizes := range [][2]string{{"77", "1452"}, {"1", "100"}, {"77", "1452"}, {"", ""}} {
		want = append(want, []string{"msmms", "", "", "", "", "", sizes[0], sizes[1], ""})
	}
	got := c.readMMS(t, "frame.protocols", "msmms.command.to-server-id", "msmms.command.to-client-id", "msmms.command.length",
		"msmms.command.length-remaining", "msmms.command.sequence-number", "msmms.data.sequence", "msmms.data.packet-length", "_ws.malformed")
	for i := range got {
		got[i][0] = got[i][0][strings.LastIndex(got[i][0], ":")+1:]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	texts := []string{"NSPlayer/9.0.0.2980; {0a0b0c0d-0000-0000-0000-000000000001}; Host: o.test:1755", `\\192.0.2.7\UDP\7000`, "dir/a b.wmv", "1",
		"9.01.01.5001", "NTLM", "Funnel Of The Gods", "51966", "0x0000cafe", "258,260"}
	var read []string
	for _, row := range c.readMMS(t, "msmms.command.player-info", "msmms.command.client-transport-info", "msmms.command.server-file",
		"msmms.data.selection-stream-id", "msmms.command.server-version", "msmms.command.password-encryption-type",
		"msmms.command.strange-string", "msmms.data.client-id", "msmms.data.packet-to-resend") {
		read = append(read, slices.DeleteFunc(row, func(s string) bool { return s == "" })...)
	}
	if diff := cmp.Diff(texts, read); diff != "" {
		t.Error(diff)
	}
}
