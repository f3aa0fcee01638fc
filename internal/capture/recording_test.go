package capture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// read reads a capture with gopacket's own reader, and wants every packet of it to be sound.
func read(t *testing.T, text string) []gopacket.Packet {
	t.Helper()
	r, err := pcapgo.NewNgReader(strings.NewReader(text), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []gopacket.Packet
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		first := gopacket.Decoder(layers.LayerTypeIPv4)
		if data[0]>>4 == 6 {
			first = layers.LayerTypeIPv6
		}
		p := gopacket.NewPacket(data, first, gopacket.Default)
		p.Metadata().CaptureInfo = info
		if p.ErrorLayer() != nil && info.CaptureLength == info.Length {
			t.Errorf("packet %d: %v", len(all), p.ErrorLayer().Error())
		}
		all = append(all, p)
	}
}

// joined puts the segments of one direction together, and wants them to follow each other.
func joined(t *testing.T, all []gopacket.Packet, iface int, from uint16) string {
	t.Helper()
	var out bytes.Buffer
	next := uint32(0)
	for _, p := range all {
		tcp, ok := p.TransportLayer().(*layers.TCP)
		if !ok || p.Metadata().InterfaceIndex != iface || uint16(tcp.SrcPort) != from {
			continue
		}
		if next != 0 && tcp.Seq != next {
			t.Errorf("segment begins at %d, want %d", tcp.Seq, next)
		}
		next = tcp.Seq + uint32(len(tcp.Payload))
		if tcp.SYN {
			next++
		}
		out.Write(tcp.Payload)
	}
	return out.String()
}

func talk(s *Session) {
	client := s.Connect(Client, ours, player)
	client.Read([]byte("OPTIONS * RTSP/1.0\r\n"))
	client.Read([]byte("CSeq: 1\r\n\r\n"))
	s.Learn(Facts{URL: "rtsp://h/a.wmv", UserAgent: "VLC"})
	origin := s.Connect(Origin, ourSide, node)
	s.Learn(Facts{Node: "wms1", NodeAddr: node.Addr()})
	origin.Wrote([]byte("OPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n"))
	origin.Read(bytes.Repeat([]byte("x"), 100_000))
	client.Wrote([]byte("RTSP/1.0 200 OK\r\n\r\n"))
	m := s.Media()
	at := time.Now()
	m.Datagram(at, true, node, ourSide, ours, player, make([]byte, 60_000), nil, "")
	m.Datagram(at, false, player, ours, netip.AddrPort{}, netip.AddrPort{}, []byte{1}, nil, "not-rtp")
	m.Datagram(at, false, player, ours, ourSide, node, []byte{2}, []byte{3}, "")
}

func TestRuleCaptures(t *testing.T) {
	for _, tc := range []struct {
		name string
		rule Rule
		want bool
	}{
		{"everything", Rule{}, true},
		{"by client", Rule{Client: netip.MustParsePrefix("192.0.2.0/24")}, true},
		{"another client", Rule{Client: netip.MustParsePrefix("192.0.3.0/24")}, false},
		{"by URL", Rule{URL: "*/A.WMV"}, true},
		{"another URL", Rule{URL: "*/b.wmv"}, false},
		{"by all", Rule{Client: netip.MustParsePrefix("192.0.2.1/32"), URL: "rtsp://*", UserAgent: "vl?", Node: "wms1"}, true},
		{"another node", Rule{URL: "rtsp://*", Node: "wms2"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			tc.rule.Name, tc.rule.Packets = "r/1", true
			b := newBook(t, Config{Dir: dir, Rules: []Rule{tc.rule}})
			s := b.Begin(About{ID: "a-1", Protocol: "rtsp", Client: player, Local: ours})
			talk(s)
			s.End("-T", "")
			_ = b.Close()
			all := files(t, dir)
			if !tc.want {
				if len(all) != 0 {
					t.Error("a session is captured that is not wanted")
				}
				return
			}
			packets := read(t, one(t, all))
			if got := joined(t, packets, 0, 40000); got != "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" {
				t.Errorf("the player said %q", got)
			}
			if got := joined(t, packets, 1, 554); len(got) != 100_000 {
				t.Errorf("the origin said %d bytes", len(got))
			}
			var sizes []int
			for _, p := range packets {
				if udp, ok := p.TransportLayer().(*layers.UDP); ok {
					sizes = append(sizes, p.Metadata().InterfaceIndex*100_000+len(udp.Payload))
				}
			}
			if len(sizes) != 5 || sizes[0] != 160_000 || sizes[1] != 60_000 || sizes[3] != 1 || sizes[4] != 100_001 {
				t.Errorf("datagrams by interface and size: %v", sizes)
			}
			for _, part := range []string{"session a-1, rtsp", "written by mediagate", "wms1", "dropped by the gateway: not-rtp"} {
				if !strings.Contains(one(t, all), part) {
					t.Errorf("%q is not in the file", part)
				}
			}
		})
	}
}

func TestCaptureLimits(t *testing.T) {
	for _, tc := range []struct {
		name string
		opt  Options
		want func([]gopacket.Packet) bool
	}{
		{"packets", Options{Packets: 3}, func(p []gopacket.Packet) bool { return len(p) == 3 }},
		{"bytes", Options{Bytes: 5000}, func(p []gopacket.Packet) bool { return len(p) > 1 && len(p) < 9 }},
		{"snaplen", Options{Snaplen: 60, Packets: 50}, func(p []gopacket.Packet) bool {
			return len(p) == 50 && p[49].Metadata().CaptureLength == 60 && p[49].Metadata().Length == 1028
		}},
		{"duration", Options{Duration: time.Millisecond}, func([]gopacket.Packet) bool { return true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBook(t, Config{})
			s := b.Begin(About{ID: "1"})
			var out bytes.Buffer
			ended := make(chan error, 1)
			go func() { ended <- b.Capture(t.Context(), "1", tc.opt, &out) }()
			m, deadline := s.Media(), time.After(10*time.Second)
			for {
				m.Datagram(time.Now(), true, node, ourSide, netip.AddrPort{}, netip.AddrPort{}, make([]byte, 1000), nil, "closed")
				select {
				case err := <-ended:
					if err != nil || !tc.want(read(t, out.String())) {
						t.Errorf("error %v, %d packets", err, len(read(t, out.String())))
					}
					return
				case <-deadline:
					t.Fatal("it does not end")
				default:
				}
			}
		})
	}
}

// TestCaptureNeverWaits: a reader that takes nothing holds nobody up; what there is no room for is counted, and memory is
// bounded.
func TestCaptureNeverWaits(t *testing.T) {
	b := newBook(t, Config{})
	s := b.Begin(About{ID: "1"})
	w := stuck{make(chan struct{})}
	r := newRecording(Options{}, recordQueue)
	if err := s.record(r, func() (io.WriteCloser, error) { return w, nil }); err != nil {
		t.Fatal(err)
	}
	m := s.Media()
	for range 5 * recordQueue {
		m.Datagram(time.Now(), true, node, ourSide, ours, player, make([]byte, 5000), nil, "")
	}
	if lost, _ := r.closing(); lost < 3*recordQueue || r.held > recordMemory {
		t.Errorf("%d dropped, %d bytes held", lost, r.held)
	}
	close(w.may)
}

func TestCaptureEnds(t *testing.T) {
	b := newBook(t, Config{})
	if err := b.Capture(t.Context(), "1", Options{}, io.Discard); !errors.Is(err, ErrUnknown) {
		t.Errorf("capture of no session: %v", err)
	}
	s := b.Begin(About{ID: "1"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Capture(ctx, "1", Options{}, io.Discard) }()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("a cancelled capture: %v", err)
	}
	if len(s.recordings()) != 0 || s.armed.Load() != nil {
		t.Error("the session still has the recording")
	}
	for range maxRecordings {
		if err := s.record(newRecording(Options{}, 1), func() (io.WriteCloser, error) { return nil, os.ErrPermission }); err != nil {
			t.Errorf("recording: %v", err)
		}
	}
	s.End("-T", "")
	if err := s.record(newRecording(Options{}, 1), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("a recording after the end: %v", err)
	}
}

func TestTraceByRequest(t *testing.T) {
	dir := t.TempDir()
	b := newBook(t, Config{Flight: Flight{Memory: maxMemory}, Dir: dir})
	s := b.Begin(About{ID: "1", Client: player})
	c := s.Connect(Client, ours, player)
	c.Received([]byte("OPTIONS rtsp://before RTSP/1.0\r\n\r\n"))
	if err := errors.Join(b.Trace("1", true), b.Trace("1", true)); err != nil {
		t.Fatal(err)
	}
	c.Received([]byte("OPTIONS rtsp://during RTSP/1.0\r\n\r\n"))
	if err := b.Trace("1", false); err != nil {
		t.Fatal(err)
	}
	c.Received([]byte("OPTIONS rtsp://after RTSP/1.0\r\n\r\n"))
	text, err := b.Text("1")
	if err != nil {
		t.Fatal(err)
	}
	wantParts(t, string(text), magic, "before", "during", "after")
	s.End("-T", "")
	_ = b.Close()
	if got := one(t, files(t, dir)); !strings.Contains(got, "before") || !strings.Contains(got, "during") || strings.Contains(got, "after") {
		t.Errorf("the trace is\n%s", got)
	}
	if err := b.Trace("1", true); !errors.Is(err, ErrUnknown) {
		t.Errorf("trace of no session: %v", err)
	}
	other := newBook(t, Config{})
	other.Begin(About{ID: "2"})
	if err := other.Trace("2", true); !errors.Is(err, ErrNowhere) {
		t.Errorf("trace to no directory: %v", err)
	}
}

// TestFullDisk: what cannot be written ends the recording, is told once, and the session goes on.
func TestFullDisk(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	b := newBook(t, Config{Logger: zap.New(core), TraceDir: "/nowhere", Flight: Flight{Memory: maxMemory, Dir: "/nowhere", Ends: []string{"O"}}})
	s := b.Begin(About{ID: "1", Client: player, Local: ours})
	full := func() (io.WriteCloser, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
	r := newRecording(Options{}, recordQueue)
	if err := s.record(r, full); err != nil {
		t.Fatal(err)
	}
	talk(s)
	<-r.done
	if !errors.Is(r.err, syscall.ENOSPC) || len(s.recordings()) != 0 {
		t.Errorf("error %v, %d recordings", r.err, len(s.recordings()))
	}
	s.Connect(Client, ours, player).Received([]byte("OPTIONS * RTSP/1.0\r\n\r\n"))
	s.End("OP", "")
	_ = b.Close()
	var told []string
	for _, l := range logs.All() {
		told = append(told, l.Message)
	}
	slices.Sort(told)
	want := []string{"capture ended by an error", "flight recorder cannot look at its directory", "flight recorder cannot write", "session has no trace"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
