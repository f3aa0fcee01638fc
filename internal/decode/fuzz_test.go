package decode

import (
	"bytes"
	"io"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// small are limits that a fuzzer reaches.
var small = Limits{Packet: 4096, Connections: 8, Conversations: 6, Events: 60, Text: 8192, Pending: 4096, PendingAll: 8192, Fragments: 4, Flows: 6, Findings: 20}

// FuzzRead reads any bytes as a capture: no panic, no text that could speak to a terminal, nothing over its limit, and a
// document that can be written.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"rtsp-404-ffmpeg-gst", "rtsp-refused-ffmpeg", "mmst-404-ffmpeg-gateway", "rtsp-wrong-password-ffmpeg-gst"} {
		f.Add(unpacked(f, captures(f)[name]))
	}
	for _, name := range []string{"mmsu-vlc-gateway", "rtsph-gst-gst", "mmsh-ffmpeg-vlc", "rtsp-nat-ffmpeg-gst"} {
		f.Add(unpacked(f, captures(f)[name])[:8000])
	}
	b := newBench(f)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	for _, part := range fragmentsOf(b.datagram(at("192.0.2.11:6000"), at("198.51.100.7:5000"), rtp(1, 2, 3)), 16) {
		b.add(part)
	}
	f.Add(b.file(layers.LinkTypeRaw, nil))
	f.Add(b.file(layers.LinkTypeEthernet, ethernet(0x0800, 0x81, 0, 0, 7)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(bytes.NewReader(data), small)
		if err != nil {
			return
		}
		check(t, r)
	})
}

// FuzzStreams reads any bytes as what the two sides of a connection say, cut into segments.
func FuzzStreams(f *testing.F) {
	for _, s := range []struct{ client, server string }{
		{"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n$\x00\x00\x0c\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01"},
		{"GET /a HTTP/1.1\r\nUser-Agent: NSPlayer/9\r\nPragma: xPlayStrm=1\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Type: application/x-mms-framed\r\nTransfer-Encoding: chunked\r\n\r\n" +
				"10\r\n$H\x0c\x00\x00\x00\x00\x00\x00\x0c\x0c\x00abcd\r\n8\r\n$E\x04\x00\x01\x00\x00\x00\r\n0\r\n\r\n"},
		{"GET /a HTTP/1.0\r\nx-sessioncookie: c\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"},
		{"POST /a HTTP/1.0\r\nx-sessioncookie: c\r\nContent-Length: 9\r\n\r\nT1BUSU9OUw==", ""},
		{"\x01\x00\x00\x00\xce\xfa\x0b\xb0\x20\x00\x00\x00MMS \x04\x00\x00\x00", "MMS"},
	} {
		f.Add([]byte(s.client), []byte(s.server), uint8(3), uint8(0))
		f.Add([]byte(s.client), []byte(s.server), uint8(50), uint8(7))
	}
	f.Fuzz(func(t *testing.T, client, server []byte, n, lost uint8) {
		if len(client)+len(server) > 8<<10 {
			return
		}
		b := newBench(t)
		b.open(player, wms)
		cut := max(int(n), 8)
		for i := 0; len(client)+len(server) > 0; i++ {
			from, to, text := player, wms, &client
			if i%2 == 1 {
				from, to, text = wms, player, &server
			}
			piece := (*text)[:min(len(*text), cut)]
			*text = (*text)[len(piece):]
			if p := b.segment(from, to, string(piece), nil); lost == 0 || i%(int(lost)+1) != int(lost) {
				b.add(p)
			}
		}
		r, err := Read(bytes.NewReader(b.file(layers.LinkTypeRaw, nil)), small)
		if err != nil {
			t.Fatal(err)
		}
		check(t, r)
	})
}

func check(t *testing.T, r *Report) {
	t.Helper()
	if err := r.WriteJSON(io.Discard); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range text.Bytes() {
		if c < ' ' && c != '\n' || c == 0x7f {
			t.Fatalf("the text has byte 0x%02x", c)
		}
	}
	events := 0
	for _, c := range r.Conversations {
		events += len(c.Events)
	}
	if len(r.Conversations) > small.Conversations || events > small.Events || len(r.Findings) > small.Findings+1 {
		t.Fatalf("%d conversations, %d lines, %d findings", len(r.Conversations), events, len(r.Findings))
	}
}
