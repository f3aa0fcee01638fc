package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

func ethernet(kind uint16, tags ...byte) func([]byte) []byte {
	return func(ip []byte) []byte {
		head := append(make([]byte, 12), tags...)
		return append(binary.BigEndian.AppendUint16(head, kind), ip...)
	}
}

func prefix(head ...byte) func([]byte) []byte {
	return func(ip []byte) []byte { return append(bytes.Clone(head), ip...) }
}

// TestLinkTypes reads one conversation in every frame that is known.
func TestLinkTypes(t *testing.T) {
	b := newBench(t)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	want := lines(b.read())
	if len(want) != 4 {
		t.Fatalf("%d lines: %q", len(want), want)
	}
	for _, tc := range []struct {
		name  string
		link  layers.LinkType
		frame func([]byte) []byte
	}{
		{"ethernet", linkEthernet, ethernet(0x0800)},
		{"vlan", linkEthernet, ethernet(0x0800, 0x81, 0, 0, 7)},
		{"vlan in vlan", linkEthernet, ethernet(0x0800, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8)},
		{"pppoe", linkEthernet, func(ip []byte) []byte {
			return ethernet(0x8864)(append([]byte{0x11, 0, 0, 1, 0, byte(len(ip) + 2), 0, 0x21}, ip...))
		}},
		{"padded", linkEthernet, func(ip []byte) []byte { return append(ethernet(0x0800)(ip), make([]byte, 20)...) }},
		{"null, little endian", linkNull, prefix(2, 0, 0, 0)},
		{"loop", linkLoop, prefix(0, 0, 0, 2)},
		{"ipv4", linkIPv4, nil},
		{"raw of BSD", linkRawBSD, nil},
		{"cooked", linkSLL, prefix(0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(want, lines(readBytes(t, b.file(tc.link, tc.frame)))); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("cooked v2", func(t *testing.T) {
		r := readBytes(t, b.file(linkSLL2, prefix(8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0)))
		if d := cmp.Diff(want, lines(r)); d != "" {
			t.Error(d)
		}
		if got := r.Conversations[0].Interface; got != "interface 3" {
			t.Errorf("interface %q", got)
		}
	})
	t.Run("not known", func(t *testing.T) {
		r := readBytes(t, b.file(105, nil)) // wireless
		if len(r.Conversations) != 0 || len(r.File.Notes) != 1 || !strings.Contains(r.File.Notes[0], "link type 105") {
			t.Errorf("%d conversations, notes %q", len(r.Conversations), r.File.Notes)
		}
	})
}

// TestByteOrders reads the same packet from files of both orders and both units of time.
func TestByteOrders(t *testing.T) {
	b := newBench(t)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	for _, tc := range []struct {
		name  string
		order binary.AppendByteOrder
		magic uint32
		unit  time.Duration
	}{
		{"micro, little", binary.LittleEndian, magicMicro, time.Microsecond},
		{"micro, big", binary.BigEndian, magicMicro, time.Microsecond},
		{"nano, little", binary.LittleEndian, magicNano, time.Nanosecond},
		{"nano, big", binary.BigEndian, magicNano, time.Nanosecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := tc.order.AppendUint32(nil, tc.magic)
			data = tc.order.AppendUint16(data, 2)
			data = tc.order.AppendUint16(data, 4)
			for _, v := range []uint32{0, 0, 65535, linkRaw} {
				data = tc.order.AppendUint32(data, v)
			}
			for i, ip := range b.list {
				at := b.times[i]
				for _, v := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond() / int(tc.unit)), uint32(len(ip)), uint32(len(ip))} {
					data = tc.order.AppendUint32(data, v)
				}
				data = append(data, ip...)
			}
			r := readBytes(t, data)
			if len(lines(r)) != 4 || !r.File.Start.Equal(b.times[0]) || r.File.Kind != "pcap" || r.File.Cut != "" {
				t.Errorf("%d lines, from %s, cut %q", len(lines(r)), r.File.Start, r.File.Cut)
			}
		})
	}
}

// TestPcapng reads several interfaces with different link types and units of time, names, and blocks of no use.
func TestPcapng(t *testing.T) {
	b := newBench(t)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	var buf bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&buf, pcapgo.NgInterface{Name: "eth0", LinkType: layers.LinkTypeRaw, TimestampResolution: 9}, pcapgo.NgWriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.AddInterface(pcapgo.NgInterface{Name: "eth1", Description: "to \x1b[31mthe servers", LinkType: layers.LinkTypeEthernet, TimestampResolution: 6})
	if err != nil {
		t.Fatal(err)
	}
	for i, ip := range b.list {
		info := gopacket.CaptureInfo{Timestamp: b.times[i], CaptureLength: len(ip), Length: len(ip)}
		if i%2 == 1 {
			ip = ethernet(0x0800)(ip)
			info.InterfaceIndex, info.CaptureLength, info.Length = second, len(ip), len(ip)
		}
		if err := w.WritePacket(info, ip); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteInterfaceStats(0, pcapgo.NgInterfaceStatistics{PacketsReceived: 3}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r := readBytes(t, buf.Bytes())
	if got := len(lines(r)); got != 4 {
		t.Errorf("%d lines", got)
	}
	want := []Interface{{Name: "eth0", Link: "raw IP", Packets: 4}, {Name: "eth1", Description: `to \x1b[31mthe servers`, Link: "Ethernet", Packets: 3}}
	if d := cmp.Diff(want, r.File.Interfaces); d != "" {
		t.Error(d)
	}
	if !r.File.Start.Equal(b.times[0]) {
		t.Errorf("begins at %s, want %s", r.File.Start, b.times[0])
	}
}

// TestPcapngBlocks reads what the writer of the test above does not write: big endian, names, an old packet block, a
// simple packet block, and a second section in the other order.
func TestPcapngBlocks(t *testing.T) {
	b := newBench(t)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	block := func(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		out := order.AppendUint32(nil, kind)
		out = order.AppendUint32(out, uint32(len(body)+12))
		return order.AppendUint32(append(out, body...), uint32(len(body)+12))
	}
	section := func(order binary.AppendByteOrder, iface []byte) []byte {
		body := order.AppendUint32(nil, 0x1a2b3c4d)
		body = order.AppendUint16(body, 1)
		body = append(order.AppendUint16(body, 0), 255, 255, 255, 255, 255, 255, 255, 255)
		link := append(order.AppendUint16(nil, linkRaw), 0, 0)
		return append(block(order, blockSection, body), block(order, blockInterface, append(order.AppendUint32(link, 0), iface...))...)
	}
	big, little := binary.BigEndian, binary.LittleEndian
	option := []byte{0, 9, 0, 1, 0x94, 0, 0, 0, 0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0} // 2^-20 seconds, 10 seconds later
	data := section(big, option)
	names := append([]byte{0, 1, 0, 9}, append(wms.Addr().AsSlice(), "wms1\x00\x00\x00\x00"...)...)
	data = append(data, block(big, blockNames, append(names, 0, 0, 0, 0))...)
	data = append(data, block(big, 0x0bad, []byte("of somebody else"))...)
	for i, ip := range b.list[:4] {
		ticks := uint64(b.times[i].Unix()-10)<<20 + uint64(b.times[i].Nanosecond())<<20/1e9
		head := big.AppendUint32(nil, uint32(ticks>>32)) // after the interface
		head = big.AppendUint32(head, uint32(ticks))
		head = big.AppendUint32(big.AppendUint32(head, uint32(len(ip))), uint32(len(ip)))
		kind, iface := uint32(blockPacket), []byte{0, 0, 0, 0}
		if i%2 == 1 {
			kind, iface = blockOld, []byte{0, 0, 0, 9} // nine drops
		}
		data = append(data, block(big, kind, append(append(iface, head...), ip...))...)
	}
	data = append(data, section(little, nil)...)
	for _, ip := range b.list[4:] {
		data = append(data, block(little, blockSimple, append(little.AppendUint32(nil, uint32(len(ip))), ip...))...)
	}
	r := readBytes(t, data)
	if got := len(lines(r)); got != 4 || r.File.Cut != "" || r.File.Packets != len(b.list) {
		t.Errorf("%d lines, %d packets, cut %q", got, r.File.Packets, r.File.Cut)
	}
	if d := r.File.Start.Sub(b.times[0]).Abs(); d > time.Microsecond {
		t.Errorf("begins %s away", d)
	}
	if d := cmp.Diff(map[string]string{"192.0.2.11": "wms1"}, r.File.Names); d != "" {
		t.Error(d)
	}
	if len(r.File.Interfaces) != 2 {
		t.Errorf("%d interfaces", len(r.File.Interfaces))
	}
}

func TestNoCapture(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "three bytes": "abc", "text": "this is a text and no capture at all", "half a header": "\xd4\xc3\xb2\xa1\x02\x00",
		"half a section": "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00", "gzip of nothing": "\x1f\x8b\x08",
	} {
		if _, err := Read(strings.NewReader(data), Limits{}); err == nil || name != "gzip of nothing" && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(io.MultiReader(strings.NewReader("ab"), broken{}), Limits{}); !errors.Is(err, errBroken) {
		t.Errorf("broken reader: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

// TestCutFiles reads files cut off at every place: it says so, unless the cut lies between two packets, and what came
// before is there.
func TestCutFiles(t *testing.T) {
	b := newBench(t)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	data := b.file(layers.LinkTypeRaw, nil)
	for n := 24; n < len(data); n++ {
		r := readBytes(t, data[:n])
		whole, at := 0, 24
		for _, ip := range b.list {
			if at += 16 + len(ip); at <= n {
				whole++
			}
		}
		between := readBytes(t, data[:n]).File.Cut == ""
		if r.File.Packets != whole {
			t.Fatalf("cut at %d: %d packets, want %d", n, r.File.Packets, whole)
		}
		if said := strings.Contains(strings.Join(codes(r), " "), "file-cut"); said == between {
			t.Fatalf("cut at %d: said %v, between packets %v", n, said, between)
		}
	}
}

func TestGzip(t *testing.T) {
	b := newBench(t)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b.file(layers.LinkTypeRaw, nil)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(lines(readBytes(t, buf.Bytes()))); got != 4 {
		t.Errorf("%d lines", got)
	}
	if r := readBytes(t, buf.Bytes()[:buf.Len()-20]); r.File.Cut == "" {
		t.Error("a file that ends too early is not said to")
	}
}
