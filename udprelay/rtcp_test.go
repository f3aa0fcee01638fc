package udprelay

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	pionrtcp "github.com/pion/rtcp"
)

func TestReadRTCP(t *testing.T) {
	sr := make([]byte, 28+24)
	sr[0], sr[1], sr[3], sr[7], sr[31] = 0x81, rtcpSR, 12, 5, 6
	for _, tt := range []struct {
		name  string
		b     []byte
		ssrcs []uint32
		nacks uint64
		lost  uint32
		whole bool
	}{
		{"ffmpeg's empty report", emptyReport(), []uint32{0}, 0, 0, true},
		{"receiver report", report(7, 8, 1000, 25), []uint32{7, 8}, 0, 1000, true},
		{"negative loss", report(7, 8, 0xffffff, 0), []uint32{7, 8}, 0, 0, true},
		{"sender report with a block", sr, []uint32{5, 6}, 0, 0, true},
		{"two reports: the highest", append(report(7, 8, 3, 0), report(7, 9, 2, 0)...), []uint32{7, 8, 9}, 0, 3, true},
		{"windows media resend request", nack(wmsCNAME(4294967295)), []uint32{9, 8, 4294967295}, 1, 0, true},
		{"nothing", nil, nil, 0, 0, true},
		{"cname out of range", nack("4294967296@WMS:7ff4"), []uint32{9, 8}, 1, 0, true},
		{"cname with letters", nack("12a@WMS:7ff4"), []uint32{9, 8}, 1, 0, true},
		{"cname of another kind", nack("12@host"), []uint32{9, 8}, 1, 0, true},
		{"cname without a number", nack("@WMS:7ff4"), []uint32{9, 8}, 1, 0, true},
		{"bye", []byte{0x82, rtcpBYE, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2}, []uint32{1, 2}, 0, 0, true},
		{"bye that counts too many", []byte{0x9f, rtcpBYE, 0, 1, 0, 0, 0, 1}, []uint32{1}, 0, 0, true},
		{"picture loss is no resend request", []byte{0x81, rtcpPSFB, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2}, []uint32{1, 2}, 0, 0, true},
		{"cut", report(7, 8, 1, 0)[:31], nil, 0, 0, false},
		{"followed by noise", append(report(7, 8, 1, 0), 1, 2, 3, 4), []uint32{7, 8}, 0, 1, false},
		{"sdes item too long", []byte{0x81, rtcpSDES, 0, 2, 0, 0, 0, 3, 1, 9, 'a', 'b'}, []uint32{3}, 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var i rtcpInfo
			i.read(tt.b)
			if d := cmp.Diff(tt.ssrcs, i.ssrc[:i.ssrcs], cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			if i.nacks != tt.nacks || i.lost != tt.lost || i.whole != tt.whole {
				t.Errorf("nacks %d lost %d whole %v, want %d %d %v", i.nacks, i.lost, i.whole, tt.nacks, tt.lost, tt.whole)
			}
		})
	}
}

// TestReadRTCPOracle: pion writes, we read.
func TestReadRTCPOracle(t *testing.T) {
	b, err := pionrtcp.Marshal([]pionrtcp.Packet{
		&pionrtcp.SenderReport{SSRC: 11, Reports: []pionrtcp.ReceptionReport{{SSRC: 12, TotalLost: 34, FractionLost: 128}}},
		&pionrtcp.SourceDescription{Chunks: []pionrtcp.SourceDescriptionChunk{
			{Source: 13, Items: []pionrtcp.SourceDescriptionItem{{Type: pionrtcp.SDESName, Text: "someone"}, {Type: pionrtcp.SDESCNAME, Text: wmsCNAME(14)}}},
			{Source: 15, Items: []pionrtcp.SourceDescriptionItem{{Type: pionrtcp.SDESCNAME, Text: "abc"}}},
		}},
		&pionrtcp.TransportLayerNack{SenderSSRC: 16, MediaSSRC: 17, Nacks: []pionrtcp.NackPair{{PacketID: 5}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var i rtcpInfo
	i.read(b)
	if d := cmp.Diff([]uint32{11, 12, 13, 14, 15, 16, 17}, i.ssrc[:i.ssrcs]); d != "" {
		t.Error(d)
	}
	if !i.whole || i.nacks != 1 || i.lost != 34 || i.fractionLost != 128 {
		t.Errorf("%+v", i)
	}
}

func TestProbation(t *testing.T) {
	var p probation
	noise := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 200)
	for range 100_000 {
		if noise.Read(b); p.admit(b) {
			t.Fatalf("% x taken for RTP", b[:16])
		}
	}
	for i, want := range []bool{false, true, true} {
		if got := p.admit(packet(5, uint16(i))); got != want {
			t.Errorf("packet %d of a back channel: %v", i, got)
		}
	}
	if !p.admit(bare()) {
		t.Error("a bare header was refused")
	}
	for name, b := range map[string][]byte{"empty": nil, "live555": {0xfe, 0xed, 0xfa, 0xce}, "cut": bare()[:11],
		"extension cut": {0x90, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "no padding count": append([]byte{0xa0}, make([]byte, 20)...)} {
		if p.admit(b) {
			t.Errorf("%s: taken for RTP", name)
		}
	}
}

func FuzzRTCP(f *testing.F) {
	f.Add(emptyReport())
	f.Add(report(7, 8, 1000, 25))
	f.Add(nack(wmsCNAME(4294967295)))
	f.Add(append(report(1, 2, 3, 4), nack(wmsCNAME(5))...))
	f.Add([]byte{0x82, rtcpBYE, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Add([]byte{0x81, rtcpSDES, 0, 2, 0, 0, 0, 3, 1, 9, 'a', 'b'})
	f.Add([]byte{0x9f, rtcpSDES, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var i rtcpInfo
		i.read(b)
		if i.ssrcs > 0 && !isRTCP(b) {
			t.Errorf("read %v of what is not RTCP", i.ssrc[:i.ssrcs])
		}
		for n, s := range i.ssrc[:i.ssrcs] {
			for _, o := range i.ssrc[:n] {
				if s == o {
					t.Errorf("%d twice", s)
				}
			}
		}
		if i.lost > 0x7fffff {
			t.Errorf("lost %d", i.lost)
		}
		// What pion reads as a NACK or a report of this compound packet we read as well.
		packets, err := pionrtcp.Unmarshal(b)
		if err != nil || !i.whole {
			return
		}
		var nacks uint64
		for _, p := range packets {
			if _, ok := p.(*pionrtcp.TransportLayerNack); ok {
				nacks++
			}
		}
		if i.nacks < nacks {
			t.Errorf("%d resend requests, pion reads %d", i.nacks, nacks)
		}
	})
}
