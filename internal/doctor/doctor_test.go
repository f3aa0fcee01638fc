package doctor

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"mediagate/internal/config"
)

func TestModules(t *testing.T) {
	for _, tc := range []struct {
		name, list string
		faults     int
	}{
		{"none", "", 0},
		{"others", "nf_conntrack 172032 3 nf_nat,nft_ct, Live 0x0\nnf_conntrack_ftp 24576 0 - Live 0x0\n", 0},
		{"both", "nf_nat_rtsp 16384 0 - Live 0x0\nnf_conntrack_rtsp 16384 1 nf_nat_rtsp, Live 0x0\n", 2},
		{"mms", "nf_conntrack_mms 16384 0", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &examiner{}
			e.modules(tc.list)
			if len(e.results) != tc.faults || Faulty(e.results) != (tc.faults > 0) {
				t.Errorf("%+v, want %d faults", e.results, tc.faults)
			}
			for _, r := range e.results {
				if !strings.HasPrefix(r.Mend, "rmmod nf_") {
					t.Errorf("mended by %q", r.Mend)
				}
			}
		})
	}
}

// The port's owner is this process, which is no gateway of another process.
func TestOwner(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	if name, pid := owner("tcp", at); name != "" || pid != "" {
		t.Errorf("%s, process %s, has our own port", name, pid)
	}
	if err := bind("tcp", at); err == nil {
		t.Error("bound a port that is taken")
	}
}

// Ports are tested that the gateway binds: none over UDP for HTTP, nor where UDP is switched off.
func TestMediaPorts(t *testing.T) {
	cfg, err := config.ForOrigin("127.0.0.194:1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.VirtualServers { // RTSP, MMS, HTTP
		cfg.VirtualServers[i].Listen[0].Addr = netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)})
	}
	e := &examiner{spec: Spec{Config: cfg}}
	if got := fmt.Sprint(e.mediaPorts()); got != "[127.0.0.1:5004 127.0.0.1:5005 127.0.0.2:1755 127.0.0.2:5004 127.0.0.2:5005]" {
		t.Errorf("with UDP: %s", got)
	}
	cfg.VirtualServers[1].UDP = false
	if got := fmt.Sprint(e.mediaPorts()); got != "[127.0.0.1:5004 127.0.0.1:5005]" {
		t.Errorf("without UDP for MMS: %s", got)
	}
}

// Who has the port at another address is not in the way: its name would be the wrong one, and it may be what we are called ourselves.
func TestInTheWay(t *testing.T) {
	proc := func(at netip.AddrPort) string { // as /proc/net/udp and udp6 have it
		var b strings.Builder
		for raw := at.Addr().AsSlice(); len(raw) > 0; raw = raw[4:] {
			fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(raw))
		}
		return fmt.Sprintf("%s:%04X", b.String(), at.Port())
	}
	for _, tc := range []struct {
		local, at string
		want      bool
	}{
		{"127.0.0.1:5004", "127.0.0.1:5004", true},
		{"127.0.0.2:5004", "127.0.0.1:5004", false},
		{"127.0.0.1:5005", "127.0.0.1:5004", false},
		{"0.0.0.0:5004", "127.0.0.1:5004", true},
		{"127.0.0.2:5004", "0.0.0.0:5004", true},
		{"127.0.0.2:5004", "[::]:5004", true},
		{"[::]:5004", "127.0.0.1:5004", true},
		{"0.0.0.0:5004", "[::1]:5004", false},
		{"[2001:db8::1]:5004", "[2001:db8::1]:5004", true},
		{"[2001:db8::1]:5004", "[2001:db8::2]:5004", false},
		{"[::ffff:127.0.0.1]:5004", "127.0.0.1:5004", true},
	} {
		if got := inTheWay(proc(netip.MustParseAddrPort(tc.local)), netip.MustParseAddrPort(tc.at)); got != tc.want {
			t.Errorf("%s in the way of %s: %v, want %v", tc.local, tc.at, got, tc.want)
		}
	}
	for _, text := range []string{"", ":", "x:138C", "7F:138C", "0100007F"} {
		if inTheWay(text, netip.MustParseAddrPort("127.0.0.1:5004")) {
			t.Errorf("%q is in the way", text)
		}
	}
}

// Every test of a machine without a transparent pool ends in a result, and none changes anything.
func TestWithoutTransparentPools(t *testing.T) {
	cfg, err := config.ForOrigin("127.0.0.194:1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.VirtualServers {
		cfg.VirtualServers[i].Listen[0].Addr = netip.MustParseAddr("127.0.0.194")
		cfg.VirtualServers[i].Listen[0].Port += 40000
	}
	got := Examine(t.Context(), Spec{Config: cfg, Warnings: []string{"a: asks for 2, and the kernel grants 1: sysctl -w a=2"}})
	want := map[string]string{"privileges": Skip, "addresses": OK, "ports": OK, "limits": Fault, "mtu": OK, "node origin rtsp": Fault}
	for _, r := range got {
		if state, ok := want[r.Test]; ok && r.State != state {
			t.Errorf("%+v, want %s", r, state)
		}
		if r.Test == "limits" && r.Mend != "sysctl -w a=2" {
			t.Errorf("%+v", r)
		}
		delete(want, r.Test)
	}
	if len(want) > 0 {
		t.Errorf("no result of %v in %+v", want, got)
	}
}

func TestTableOfConnections(t *testing.T) {
	for _, tc := range []struct {
		count, most int
		fault       bool
	}{{0, 0, false}, {100, 65536, false}, {58981, 65536, false}, {58983, 65536, true}, {65536, 65536, true}} {
		e := &examiner{}
		e.full(tc.count, tc.most)
		if Faulty(e.results) != tc.fault {
			t.Errorf("%d of %d: %+v", tc.count, tc.most, e.results)
		}
	}
}

// TestLockedMemory: what relay.xdp locks must be allowed, or a privilege lift the limit.
func TestLockedMemory(t *testing.T) {
	const line = "Max file locks            unlimited            unlimited            locks     \nMax locked memory         %s              %s              bytes     \n"
	for _, tc := range []struct {
		name, limit string
		buffer      config.Size
		set         uint64
		fault       bool
	}{
		{"what systemd gives", "8388608", 256 << 10, 1<<capNetAdmin | 1<<capNetRaw | 1<<capBPF, true},
		{"just enough", "16777216", 256 << 10, 0, false},
		{"cut down to a power of two", "16777216", 511 << 10, 0, false},
		{"twice as much", "16777216", 512 << 10, 0, true},
		{"the most", "268435456", 64 << 20, 0, false},
		{"no limit", "unlimited", 64 << 20, 0, false},
		{"CAP_IPC_LOCK", "0", 256 << 10, 1 << capIPCLock, false},
		{"CAP_SYS_RESOURCE", "0", 256 << 10, 1 << capSysResource, false},
	} {
		cfg, err := config.ForOrigin("127.0.0.194:1")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Relay.ReceiveBuffer = tc.buffer
		e := &examiner{spec: Spec{Config: cfg}}
		e.locked("xdp", tc.set, strings.ReplaceAll(line, "%s", tc.limit))
		if Faulty(e.results) != tc.fault {
			t.Errorf("%s: %+v", tc.name, e.results)
		}
	}
}

// TestInterfaces: what relay.xdp names must be there, and the privileges for it.
func TestInterfaces(t *testing.T) {
	cfg, err := config.ForOrigin("127.0.0.194:1")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Relay.XDP = []string{"absent0", "lo"}
	e := &examiner{spec: Spec{Config: cfg}}
	e.interfaces()
	var whole strings.Builder
	for _, r := range e.results {
		whole.WriteString(r.State + " " + r.What + "\n")
	}
	for _, want := range []string{"fault there is no interface absent0", "fault lo is no Ethernet"} {
		if !strings.Contains(whole.String(), want) {
			t.Errorf("no %q in\n%s", want, whole.String())
		}
	}
	all := uint64(1<<capNetAdmin | 1<<capNetRaw)
	for set, want := range map[uint64]string{
		0: "CAP_NET_ADMIN CAP_NET_RAW CAP_BPF", all: "CAP_BPF", all | 1<<capBPF: "", all | 1<<capSysAdmin: "",
	} {
		if got := strings.Join(lackingXDP(set), " "); got != want {
			t.Errorf("%x lacks %q, want %q", set, got, want)
		}
	}
}
