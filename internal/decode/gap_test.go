package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// unpacked is a capture of testdata/pcap without gzip.
func unpacked(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// without takes the n-th packets with a large TCP payload out of a pcap file: what a capture lacks that was too slow.
func without(t testing.TB, data []byte, drop func(n int) bool) (out []byte, dropped int) {
	t.Helper()
	out = append(out, data[:24]...)
	n := 0
	for b := data[24:]; len(b) >= 16; {
		size := 16 + int(binary.LittleEndian.Uint32(b[8:]))
		large := size > 16+66+100 && b[16+23] == protoTCP
		if large {
			n++
		}
		if large && drop(n) {
			dropped++
		} else {
			out = append(out, b[:size]...)
		}
		b = b[size:]
	}
	return out, dropped
}

// TestGapsInMedia takes segments of media out of captures of real players: each is said to be missing, the media behind
// it is counted, and the conversation is told to its end.
func TestGapsInMedia(t *testing.T) {
	for name, last := range map[string]string{
		"rtsph-gst-gst":        "server: RTSP/1.0 200 OK",
		"mmst-mplayer-gateway": "server: LinkMacToViewerReportEndOfStream",
		"mmsh-ffmpeg-gateway":  "server: $E",
	} {
		t.Run(name, func(t *testing.T) {
			data := unpacked(t, captures(t)[name])
			whole := readBytes(t, data)
			data, dropped := without(t, data, func(n int) bool { return n == 15 || n == 21 || n == 30 })
			r := readBytes(t, data)
			told := lines(r)
			gaps := strings.Count(strings.Join(told, "\n"), "missing in the capture")
			if gaps != dropped || dropped < 2 {
				t.Errorf("%d gaps told, %d segments taken out", gaps, dropped)
			}
			if got := told[len(told)-1]; got != last {
				t.Errorf("the last line is %q, want %q", got, last)
			}
			had, have := packetsOf(whole), packetsOf(r)
			if have < had-4*uint64(dropped) || have >= had {
				t.Errorf("%d packets of media of %d, with %d segments taken out", have, had, dropped)
			}
		})
	}
}

// packetsOf counts the packets of media in all conversations.
func packetsOf(r *Report) uint64 {
	var n uint64
	for _, c := range r.Conversations {
		for _, m := range c.Media {
			for _, f := range m.Flows {
				n += f.Packets
			}
		}
	}
	return n
}

// TestBegunBefore reads captures from their middle on.
func TestBegunBefore(t *testing.T) {
	for name, line := range map[string]string{
		"rtsph-gst-gst":          "", // what a GET answers cannot be known for RTSP without its head
		"rtsp-digest-ffmpeg-gst": "client: PLAY",
		"mmst-mplayer-gateway":   "server: LinkMacToViewerReportEndOfStream",
		"mmsh-ffmpeg-gateway":    "server: $E",
	} {
		t.Run(name, func(t *testing.T) {
			data := unpacked(t, captures(t)[name])
			for skip := 4; skip < 16; skip++ {
				r := readBytes(t, skipPackets(data, skip))
				if line != "" && !strings.Contains(strings.Join(lines(r), "\n"), line) {
					t.Errorf("from packet %d on: no %q in\n%s", skip, line, strings.Join(lines(r), "\n"))
				}
			}
		})
	}
}

func skipPackets(data []byte, n int) []byte {
	b := data[24:]
	for ; n > 0 && len(b) >= 16; n-- {
		b = b[16+int(binary.LittleEndian.Uint32(b[8:])):]
	}
	return append(bytes.Clone(data[:24]), b...)
}

// TestSnapped reads captures whose packets were cut short.
func TestSnapped(t *testing.T) {
	data := unpacked(t, captures(t)["rtsp-udp-ffmpeg-gst"])
	out := bytes.Clone(data[:24])
	const snap = 120
	for b := data[24:]; len(b) >= 16; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		head := bytes.Clone(b[:16])
		binary.LittleEndian.PutUint32(head[8:], uint32(min(n, snap)))
		out = append(append(out, head...), b[16:16+min(n, snap)]...)
		b = b[16+n:]
	}
	r := readBytes(t, out)
	text := strings.Join(codes(r), " ")
	for _, code := range []string{"gap"} {
		if !strings.Contains(text, code) {
			t.Errorf("codes %q lack %q", text, code)
		}
	}
	if len(r.Conversations) != 1 || r.Conversations[0].Protocol != "rtsp" {
		t.Fatalf("%d conversations", len(r.Conversations))
	}
	if len(r.Strays) == 0 && packetsOf(r) == 0 {
		t.Error("no media is counted")
	}
}

// TestLimits holds each limit to its word: what is over it is left out, and said.
func TestLimits(t *testing.T) {
	b := newBench(t)
	for i := range 6 {
		client := at(fmt.Sprintf("198.51.100.7:%d", 40000+i))
		ports := fmt.Sprintf("client_port=%d-%d", 5000+2*i, 5001+2*i)
		b.rtspDialog(client, wms, "RTP/AVP;unicast;"+ports, "RTP/AVP;unicast;"+ports+";server_port=6000-6001")
		b.media(at("192.0.2.11:6000"), at(fmt.Sprintf("198.51.100.7:%d", 5000+2*i)), uint32(i), 1, 2, 3, 5, 6)
	}
	data := b.file(linkRaw, nil)
	for _, tc := range []struct {
		name string
		lim  Limits
		note string
	}{
		{"connections", Limits{Connections: 2}, "more connections at once"},
		{"conversations", Limits{Conversations: 2}, "4 conversations left out"},
		{"events", Limits{Events: 5}, "lines of conversations left out"},
		{"text", Limits{Text: 300}, "lines of conversations left out"},
		{"flows", Limits{Flows: 2}, "more flows than the limit"},
		{"findings", Limits{Findings: 2}, "4 findings left out"},
		{"packet", Limits{Packet: 50}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Read(bytes.NewReader(data), tc.lim)
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(r.File.Notes, "\n")
			if !strings.Contains(notes, tc.note) {
				t.Errorf("notes %q lack %q", notes, tc.note)
			}
			if tc.name == "packet" && !strings.Contains(r.File.Cut, "the file is damaged there") {
				t.Errorf("cut %q", r.File.Cut)
			}
		})
	}
}

// TestPendingIsBounded sends segments that all wait for one that never comes, on many connections: no more than the limit
// is held, and it is told what was missing.
func TestPendingIsBounded(t *testing.T) {
	b := newBench(t)
	const conns = 10
	for i := range conns {
		client := at(fmt.Sprintf("198.51.100.7:%d", 41000+i))
		b.open(client, wms)
		b.say(client, wms, "OPTIONS rtsp://host/a RTSP/1.0\r\nCSeq: 1\r\n\r\n")
		b.segment(client, wms, "gone", nil)
		for range 30 {
			b.say(client, wms, strings.Repeat("x", 1000))
		}
	}
	r, err := Read(bytes.NewReader(b.file(linkRaw, nil)), Limits{PendingAll: 20_000, Pending: 8_000})
	if err != nil {
		t.Fatal(err)
	}
	gaps := 0
	for _, line := range lines(r) {
		if line == "client: 4 bytes missing in the capture" {
			gaps++
		}
	}
	if gaps != conns {
		t.Errorf("%d gaps told, want %d", gaps, conns)
	}
}

// TestStorm follows a conversation that begins after more connections than are remembered.
func TestStorm(t *testing.T) {
	b := newBench(t)
	for i := range 3000 {
		b.open(at(fmt.Sprintf("203.0.113.%d:%d", i%250, 1024+i)), wms)
	}
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	b.media(at("192.0.2.11:6000"), at("198.51.100.7:5000"), 7, upTo(5)...)
	r, err := Read(bytes.NewReader(b.file(linkRaw, nil)), Limits{Connections: 100})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines(r)) != 5 || len(r.File.Notes) != 0 {
		t.Errorf("lines %q, notes %q", lines(r), r.File.Notes)
	}
}

// TestJunk follows a connection that says nothing readable after a gap: what is kept of it has a bound, and a message
// behind it is found.
func TestJunk(t *testing.T) {
	b := newBench(t)
	b.open(player, wms)
	b.say(player, wms, "OPTIONS rtsp://host/a RTSP/1.0\r\nCSeq: 1\r\n\r\n")
	b.segment(wms, player, "gone", nil)
	for i := range 600 {
		b.say(wms, player, strings.Repeat(string(rune('a'+i%26)), 1000))
		b.add(b.segment(player, wms, "", nil))
	}
	for range 200 { // the longer it hunts, the less often it looks
		b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"+strings.Repeat("z", 200))
	}
	r := b.read()
	if n := strings.Count(strings.Join(lines(r), "\n"), "RTSP/1.0 200 OK"); n < 100 {
		t.Errorf("%d of 200 answers found", n)
	}
}

// TestPublished is media that the client sends.
func TestPublished(t *testing.T) {
	b := newBench(t)
	b.open(player, wms)
	b.say(player, wms, "SETUP rtsp://host/a RTSP/1.0\r\nCSeq: 1\r\nTransport: "+wantUDP+";mode=record\r\n\r\n")
	b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 7\r\nTransport: "+grantUDP+";mode=record\r\n\r\n")
	b.say(player, wms, "RECORD rtsp://host/a RTSP/1.0\r\nCSeq: 2\r\nSession: 7\r\n\r\n")
	b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 7\r\n\r\n")
	b.media(at("198.51.100.7:5000"), at("192.0.2.11:6000"), 7, 1, 2, 5)
	r := b.read()
	m := r.Conversations[0].Media[0]
	if !m.Published || len(m.Flows) != 1 || m.Flows[0].lost() != 2 {
		t.Errorf("published %v, flows %+v", m.Published, m.Flows)
	}
	if got := codes(r); len(got) != 1 || got[0] != "lost" {
		t.Errorf("codes %q", got)
	}
}
