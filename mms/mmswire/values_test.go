package mmswire

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSubscriber(t *testing.T) {
	const guid = "{7E667F5D-A661-495E-A512-F55686DDA178}"
	for _, tc := range []struct{ name, in, product, guid, host, want string }{
		{"FFmpeg", "NSPlayer/7.0.0.1956; " + guid + "; Host: a.test", "NSPlayer/7.0.0.1956", guid, "a.test",
			"NSPlayer/7.0.0.1956; " + guid + "; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: mediagate/1"},
		{"VLC's GUID, IPv6 without brackets", "NSPlayer/7.0.0.1956; {0xbabac001-0x32fa}; Host: fd99:2::2", "NSPlayer/7.0.0.1956", "{0xbabac001-0x32fa}", "fd99:2::2",
			"NSPlayer/7.0.0.1956; {0xbabac001-0x32fa}; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: mediagate/1"},
		{"Windows Media Player 6, no host", "NSPlayer/4.1.0.3928; " + guid, "NSPlayer/4.1.0.3928", guid, "",
			"NSPlayer/4.1.0.3928; " + guid + "; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: mediagate/1"},
		{"a proxy before us", "NSPlayer/9.0; " + guid + "; Host: a\x00HOST: a:80\x00VIA: isa/3.0", "NSPlayer/9.0", guid, "a",
			"NSPlayer/9.0; " + guid + "; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: isa/3.0, mediagate/1"},
		{"only a host-string, in another case", "Spooooon!\x00host:  b.test ", "Spooooon!", "", "b.test",
			"Spooooon!; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: mediagate/1"},
		{"only a via-string", "Spooooon!\x00VIA: x", "Spooooon!", "", "", "Spooooon!; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: x, mediagate/1"},
		{"text that nobody knows", "A/1;x=1;HOST:h ;  y \x00stray\x00", "A/1", "", "h",
			"A/1;x=1; Host: o.test:1755;  y \x00HOST: o.test:1755\x00stray\x00VIA: mediagate/1"},
		{"a product that looks like a host", "Host: x", "Host: x", "", "", "Host: x; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: mediagate/1"},
		{"nothing", "", "", "", "", "; Host: o.test:1755\x00HOST: o.test:1755\x00VIA: mediagate/1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := ParseSubscriber(tc.in)
			if s.Product() != tc.product || s.GUID() != tc.guid || s.Host() != tc.host {
				t.Errorf("got %q, %q, %q", s.Product(), s.GUID(), s.Host())
			}
			if got := s.String(); got != strings.TrimRight(tc.in, nul) {
				t.Errorf("untouched it is %q", got)
			}
			s.SetHost("o.test:1755")
			s.AddVia("mediagate/1")
			if diff := cmp.Diff(tc.want, s.String()); diff != "" {
				t.Error(diff)
			}
			if again := ParseSubscriber(s.String()); again.Host() != "o.test:1755" {
				t.Errorf("then the host is %q", again.Host())
			}
		})
	}
	var zero Subscriber
	zero.AddVia("a\x00b")
	zero.SetHost("h;x\x00y")
	if got := zero.String(); got != "; Host: h\x00HOST: h\x00VIA: a" {
		t.Errorf("the zero value became %q", got)
	}
}

func TestFunnelName(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     FunnelName
		fault    string
	}{
		{"VLC", "\\\\10.99.1.2\\UDP\\7000\x000", FunnelName{netip.MustParseAddr("10.99.1.2"), "10.99.1.2", true, 7000}, ""},
		{"VLC, IPv6", `\\fd99:1::2\UDP\7000`, FunnelName{netip.MustParseAddr("fd99:1::2"), "fd99:1::2", true, 7000}, ""},
		{"brackets", `\\[fd99:1::2]\udp\65535`, FunnelName{netip.MustParseAddr("fd99:1::2"), "[fd99:1::2]", true, 65535}, ""},
		{"FFmpeg", `\\192.168.0.129\TCP\1037`, FunnelName{netip.MustParseAddr("192.168.0.129"), "192.168.0.129", false, 1037}, ""},
		{"mixed case, a name", `\\pc.test\TcP\1`, FunnelName{netip.Addr{}, "pc.test", false, 1}, ""},
		{"no host", `\\\UDP\9`, FunnelName{netip.Addr{}, "", true, 9}, ""},
		{"port over 65535", `\\1.2.3.4\UDP\65536`, FunnelName{netip.MustParseAddr("1.2.3.4"), "1.2.3.4", true, 0}, "at byte 14: the port"},
		{"port 0", `\\1.2.3.4\UDP\0`, FunnelName{netip.MustParseAddr("1.2.3.4"), "1.2.3.4", true, 0}, "the port"},
		{"port with a sign", `\\1.2.3.4\UDP\+7`, FunnelName{netip.MustParseAddr("1.2.3.4"), "1.2.3.4", true, 0}, "the port"},
		{"more after the port", `\\1.2.3.4\UDP\7000\x`, FunnelName{netip.MustParseAddr("1.2.3.4"), "1.2.3.4", true, 0}, "the port"},
		{"no port", `\\1.2.3.4\UDP`, FunnelName{netip.MustParseAddr("1.2.3.4"), "1.2.3.4", true, 0}, "no port"},
		{"another protocol", `\\1.2.3.4\SCTP\7`, FunnelName{netip.MustParseAddr("1.2.3.4"), "1.2.3.4", false, 0}, "at byte 10: the protocol"},
		{"no protocol", `\\1.2.3.4`, FunnelName{netip.MustParseAddr("1.2.3.4"), "1.2.3.4", false, 0}, "no protocol"},
		{"one backslash", `\1.2.3.4\UDP\7`, FunnelName{}, "at byte 0: it does not begin"},
		{"nothing", "", FunnelName{}, "it does not begin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseFunnelName(tc.in)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("got %v", err)
			}
		})
	}
	for want, f := range map[string]FunnelName{
		`\\192.0.2.1\UDP\5004`:   {Addr: netip.MustParseAddr("192.0.2.1"), UDP: true, Port: 5004},
		`\\2001:db8::1\TCP\1755`: {Addr: netip.MustParseAddr("2001:db8::1"), Port: 1755},
		`\\pc\TCP\1`:             {Addr: netip.MustParseAddr("192.0.2.1"), Host: "pc", Port: 1},
	} {
		if got := f.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestClientLog(t *testing.T) {
	want := sampleLog()
	b := AppendClientLog([]byte("before"), want)[6:]
	if len(b) != ClientLogSize {
		t.Fatalf("%d bytes", len(b))
	}
	got, err := ParseClientLog(append(bytes.Clone(b), 0, 0, 0, 0, 0, 0)) // the padding of its message
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// [MS-MMSP] 2.2.1.1, 2.2.1.2: where the fields are.
	for at, text := range map[int]string{0: "\xd2\x05\x00\x00\x76\x04\x00\x00mms://", 528: "-\x00", 1146: "\x01\x00\x00\x00\xff\xff\xff\xff", 1462: "UDP\x00", 1470: "\x07\x00", 1486: "\x0b\x00"} {
		if !strings.HasPrefix(string(b[at:]), text) {
			t.Errorf("at %d is %q", at, b[at:at+len(text)])
		}
	}
	if v := got.Info.HostExeVersion.String(); v != "10.1.2.3" {
		t.Errorf("version %s", v)
	}
	for n := range b {
		var syntax *SyntaxError
		if _, err := ParseClientLog(b[:n]); !errors.As(err, &syntax) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	long := AppendClientLog(nil, ClientLog{OS: strings.Repeat("x", 99), CPU: "\xe9"})
	if got, err = ParseClientLog(long); err != nil || len(long) != ClientLogSize || got.OS != strings.Repeat("x", 15) || got.CPU != "\xe9" {
		t.Errorf("got %q, %q, %v", got.OS, got.CPU, err)
	}
	// A field without a NUL is as long as it can be.
	copy(long[412:428], strings.Repeat("y", 16))
	if _, err = ParseClientLog(long); err != nil {
		t.Error(err)
	}
}

// TestLogSize: the message takes as its log what the log says it is, else all.
func TestLogSize(t *testing.T) {
	for _, body := range []string{"", "08000000 00000001 00000000 00000000", "ffffffff 00000001", "03000000 00000001", "0c000000 00000001 00000000 00000007"} {
		raw := Raw{MIDLogging, unhex(t, body)}
		m, err := Decode(raw)
		if err != nil || !bytes.Equal(Encode(m).Body, raw.Body) {
			t.Errorf("%s: %v, %x", body, err, Encode(m).Body)
		}
	}
}

func TestResend(t *testing.T) {
	want := ResendRequest{ClientID: 0xcafe0001, SourceID: 7, Packets: []uint32{0x101, 0x102, 0xffffffff}}
	b := AppendResend(nil, want)
	if wire := unhex(t, "0df0efbe 0100feca 0700 0300 01010000 02010000 ffffffff"); !bytes.Equal(b, wire) {
		t.Errorf("written %x", b)
	}
	got, err := ParseResend(b)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	count := func(n byte) []byte { c := bytes.Clone(b); c[10] = n; return c }
	full := AppendResend(nil, ResendRequest{Packets: make([]uint32, MaxResend)})
	if _, err := ParseResend(full); err != nil {
		t.Error(err)
	}
	for name, in := range map[string][]byte{"nothing": nil, "cut head": b[:11], "cut list": b[:23], "one byte more": append(bytes.Clone(b), 0),
		"signature": append([]byte{1}, b[1:]...), "no packet": count(0), "33 packets": count(33), "count too small": count(2), "count too large": count(4)} {
		var syntax *SyntaxError
		if r, err := ParseResend(in); !errors.As(err, &syntax) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, n := range []int{0, 33} {
		if b := AppendResend([]byte("x"), ResendRequest{Packets: make([]uint32, n)}); string(b) != "x" {
			t.Errorf("%d packets are written", n)
		}
	}
}

func TestParseData(t *testing.T) {
	b := AppendData(nil, Data{LocationID: 0x01020304, PlayIncarnation: 2, AFFlags: 12, Payload: []byte("asf")})
	if wire := unhex(t, "04030201 02 0c 0b00 617366"); !bytes.Equal(b, wire) {
		t.Errorf("written %x", b)
	}
	d, err := ParseData(b)
	if err != nil || d.LocationID != 0x01020304 || d.PlayIncarnation != 2 || d.AFFlags != 12 || string(d.Payload) != "asf" || !bytes.Equal(d.Bytes(), b) {
		t.Errorf("got %+v, %v", d, err)
	}
	for name, in := range map[string][]byte{"nothing": nil, "cut header": b[:7], "cut payload": b[:10], "one byte more": append(bytes.Clone(b), 0)} {
		var syntax *SyntaxError
		if d, err := ParseData(in); !errors.As(err, &syntax) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if got := AppendData(nil, Data{Payload: make([]byte, MaxPayload+1)}); got != nil {
		t.Errorf("%d bytes are written", len(got))
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseData(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
