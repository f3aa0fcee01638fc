package origin

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

const tcpFunnel = `\\192.168.0.129\TCP\1037`

// TestMMSOverTCP plays the whole file and compares it packet for packet.
func TestMMSOverTCP(t *testing.T) {
	s := serveMMS(t, "127.0.0.27", Config{Speed: 100})
	wantHeader, wantPackets := file(t, s)
	c := dialMMS(t, s)
	open := c.connect(tcpFunnel)
	if open.OpenFileID != 1 || open.FilePacketCount != uint64(len(wantPackets)) || open.FilePacketSize != 1400 ||
		open.FileHeaderSize != uint32(len(wantHeader)) || open.FileAttributes != mmswire.AttributeCanSeek ||
		open.PlayIncarnation != 1 || open.FileBlocks != uint32(math.Ceil(open.FileDuration)) {
		t.Errorf("open file %+v", open)
	}
	read := ask[*mmswire.ReportReadBlock](c, &mmswire.ReadBlock{OpenFileID: 1, Length: 0x8000, Flags: nowhere, PlayIncarnation: 2})
	if read.HR != hrOK || read.PlayIncarnation != 2 {
		t.Errorf("read block %+v", read)
	}
	c.headerTCP(len(wantHeader))
	if got := header(t, 2, c.data); !bytes.Equal(got, wantHeader) {
		t.Errorf("header of %d bytes is another than the file's of %d", len(got), len(wantHeader))
	}
	c.data = nil
	ask[*mmswire.ReportStreamSwitch](c, &mmswire.StreamSwitch{Entries: []mmswire.StreamSwitchEntry{{Src: noStream, Dst: 1}, {Src: noStream, Dst: 2}}})
	if a := ask[*mmswire.ReportStartedPlaying](c, startPlaying(4)); a.HR != hrOK || a.PlayIncarnation != 4 || a.TigerFileID != 1 {
		t.Errorf("started playing %+v", a)
	}
	if end := ask[*mmswire.ReportEndOfStream](c, nil); end.HR != hrOK || end.PlayIncarnation != 4 {
		t.Errorf("end of stream %+v", end)
	}
	if len(c.data) != len(wantPackets) {
		t.Fatalf("%d packets of %d", len(c.data), len(wantPackets))
	}
	for i, d := range c.data {
		if d.LocationID != uint32(i) || d.AFFlags != uint8(i) || d.PlayIncarnation != 4 || !bytes.Equal(d.Payload, wantPackets[i]) {
			t.Fatalf("packet %d: location %d, flags %d, incarnation %d, %d bytes", i, d.LocationID, d.AFFlags, d.PlayIncarnation, len(d.Payload))
		}
	}
	c.send(&mmswire.CloseFile{OpenFileID: 1})
	c.ended()
}

// headerTCP reads Data packets until so many bytes are there.
func (c *mmsClient) headerTCP(size int) {
	c.t.Helper()
	for n := 0; n < size; {
		item, err := c.reader.Read()
		if err != nil {
			c.t.Fatal(err)
		}
		d := *item.(*mmswire.Data)
		d.Payload = bytes.Clone(d.Payload)
		c.data = append(c.data, d)
		n += len(d.Payload)
	}
}

// TestMMSOverUDP names another address in its funnel, loses every fourth packet and asks for it again.
func TestMMSOverUDP(t *testing.T) {
	s := serveMMS(t, "127.0.0.28", Config{Speed: 20, DropEvery: 4})
	_, wantPackets := file(t, s)
	media := udp(t, s)
	c := dialMMS(t, s)
	ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{PlayIncarnation: mmswire.UsePacketPair, SubscriberName: subscriber})
	id := ask[*mmswire.ReportFunnelInfo](c, &mmswire.FunnelInfo{PlayIncarnation: mmswire.PacketPairUDPHighEntropy}).NCubs
	ask[*mmswire.ReportConnectedFunnel](c, &mmswire.ConnectFunnel{FunnelName: fmt.Sprintf(`\\192.0.2.1\UDP\%d`, port(media))})
	ask[*mmswire.ReportOpenFile](c, &mmswire.OpenFile{PlayIncarnation: 1, FileName: "sample.wmv"})
	c.send(&mmswire.ReadBlock{OpenFileID: 1, PlayIncarnation: 2})
	for i := range uint32(2) {
		b, from := receive(t, media)
		d, err := mmswire.ParseData(b)
		if err != nil || d.LocationID != pairFirst+i || !d.IsPacketPair() || d.AFFlags != pairFlags || len(d.Payload) != 1464 || from.Port() != 5004 {
			t.Errorf("packet pair %d: %d bytes from %s: %v", i, len(d.Payload), from, err)
		}
	}
	ask[*mmswire.ReportReadBlock](c, nil)
	var pieces []mmswire.Data
	for len(pieces) == 0 || pieces[len(pieces)-1].AFFlags != headerLast {
		b, _ := receive(t, media)
		d, err := mmswire.ParseData(b)
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, d)
	}
	if wantHeader, _ := file(t, s); !bytes.Equal(header(t, 2, pieces), wantHeader) {
		t.Error("the header is not the file's")
	}
	began := time.Now()
	ask[*mmswire.ReportStartedPlaying](c, startPlaying(4))
	packets := map[uint32][]byte{}
	receivePacket := func() uint32 {
		b, from := receive(t, media)
		d, err := mmswire.ParseData(b)
		if err != nil || d.PlayIncarnation != 4 || from.Port() != 5004 || packets[d.LocationID] != nil {
			t.Fatalf("packet %d of incarnation %d from %s: %v", d.LocationID, d.PlayIncarnation, from, err)
		}
		packets[d.LocationID] = d.Payload
		return d.LocationID
	}
	for n := uint32(0); int(n) < len(wantPackets); n++ {
		if n%4 != 3 {
			if got := receivePacket(); got != n {
				t.Fatalf("packet %d, want %d", got, n)
			}
		}
	}
	ask[*mmswire.ReportEndOfStream](c, nil)
	f, err := s.library.open("sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	last := time.Duration(sendTime(f, len(wantPackets)-1)-sendTime(f, 0)) * time.Millisecond
	if d := time.Since(began); d < last/20+endAfterUDP {
		t.Errorf("end of stream after %s, the last packet was not sent before %s", d, last/20)
	}
	var lost []uint32
	for n := uint32(3); int(n) < len(wantPackets); n += 4 {
		lost = append(lost, n)
	}
	for _, source := range []uint16{openFileID, openFileID + 1} { // the second one is nobody's
		for at := 0; at < len(lost); at += mmswire.MaxResend {
			q := mmswire.ResendRequest{ClientID: id, SourceID: source, Packets: lost[at:min(at+mmswire.MaxResend, len(lost))]}
			if _, err := media.WriteToUDPAddrPort(mmswire.AppendResend(nil, q), s.MMSAddr()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range lost {
		receivePacket()
	}
	for n, want := range wantPackets {
		if !bytes.Equal(packets[uint32(n)], want) {
			t.Errorf("packet %d is not the file's", n)
		}
	}
	eventually(t, "each lost packet is counted as resent once", func() bool {
		resent := 0
		for _, r := range s.Snapshot().Resends {
			resent += r.Resent
		}
		return resent == len(lost)
	})
}

// eventually waits for what the origin does beside answering.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestMMSSeek(t *testing.T) {
	s := serveMMS(t, "127.0.0.29", Config{Speed: 20})
	header, packets := file(t, s)
	key := func(seconds float64) uint32 {
		f, err := asf.Parse(append(bytes.Clone(header), bytes.Join(packets, nil)...))
		if err != nil {
			t.Fatal(err)
		}
		return uint32(keyBefore(f, uint32(seconds*1000)))
	}
	c := dialMMS(t, s)
	c.connect(tcpFunnel)
	for _, x := range []struct {
		name string
		ask  *mmswire.StartPlaying
		want uint32
		hr   uint32
	}{
		{"beginning", startPlaying(4), 0, hrOK},
		{"packet", fromPacket(17, 4), 17, hrOK},
		{"packet of none", fromPacket(uint32(len(packets)), 4), 0, hrInvalid},
		{"time", fromTime(5, 5), key(5), hrOK},
		{"time after the end", fromTime(1e6, 5), key(1e6), hrOK},
		{"no number", fromTime(math.NaN(), 5), 0, hrOK},
		{"offset", fromOffset(uint32(len(header)+3*1400), 6), 3, hrOK},
		{"offset in the header", fromOffset(10, 6), 0, hrOK},
		{"offset after the end", fromOffset(nowhere-1, 6), 0, hrInvalid},
		{"other file", &mmswire.StartPlaying{OpenFileID: 2, PlayIncarnation: 4}, 0, hrInvalid},
	} {
		t.Run(x.name, func(t *testing.T) {
			c.t = t
			// Observed: libmms does not stop first; VLC stops with this incarnation, twice.
			a := ask[*mmswire.ReportStartedPlaying](c, x.ask)
			if a.HR != x.hr || a.PlayIncarnation != x.ask.PlayIncarnation {
				t.Fatalf("%+v", a)
			}
			if x.hr != hrOK {
				return
			}
			c.data = nil
			c.headerTCP(1) // one packet
			if d := c.data[0]; d.LocationID != x.want || d.PlayIncarnation != uint8(x.ask.PlayIncarnation) {
				t.Errorf("packet %d, incarnation %d, want %d", d.LocationID, d.PlayIncarnation, x.want)
			}
			for range 2 {
				end := ask[*mmswire.ReportEndOfStream](c, &mmswire.StopPlaying{OpenFileID: 1, PlayIncarnation: 0x1fffff})
				if end.HR != hrOK || end.PlayIncarnation != 0x1fffff {
					t.Errorf("%+v", end)
				}
			}
		})
	}
}
