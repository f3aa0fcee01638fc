package lab

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Node is an origin as the configuration names it.
type Node struct {
	Name string
	Addr netip.AddrPort
}

// Settings are what tests set of a configuration; every zero value means the
// program's own default.
type Settings struct {
	Listen      netip.AddrPort
	Protocol    string // "rtsp" (default) or "mms": of the virtual server and of the nodes' ports
	NoUDP       bool   // the virtual server refuses UDP
	Nodes       []Node
	Policy      string
	Monitor     string            // as in the file: "{interval: 1s, ...}"
	ClientPorts string            // "5004-5005"
	OriginPorts string            // "20000-20099"
	Engine      string            // of the relay; "" is Engine()
	Latch       string            // "off", "same-address"
	Limits      map[string]string // key to value as in the file
	Timeouts    map[string]string
	Records     string // path of the session records; StartGateway fills it
	W3CLog      string // path of the log of Windows Media Services
	Captures    string // folder to which each session's capture is written
}

// YAML is the configuration file.
func (s Settings) YAML() string {
	var b strings.Builder
	b.WriteString("log: {level: info, format: console}\n")
	fmt.Fprintf(&b, "sessions: {log: %q, w3c_log: %q}\n", s.Records, s.W3CLog)
	protocol, more := "rtsp", ""
	if s.Protocol != "" {
		protocol = s.Protocol
	}
	if s.NoUDP {
		more = ", udp: false"
	}
	fmt.Fprintf(&b, "virtual_servers:\n  - {name: %s, protocol: %s, listen: [%q], pool: origins%s}\n",
		strings.ToUpper(protocol), protocol, s.Listen, more)
	b.WriteString("pools:\n  - name: origins\n")
	if s.Policy != "" {
		fmt.Fprintf(&b, "    policy: %s\n", s.Policy)
	}
	if s.Monitor != "" {
		fmt.Fprintf(&b, "    monitor: %s\n", s.Monitor)
	}
	b.WriteString("    nodes:\n")
	for _, n := range s.Nodes {
		fmt.Fprintf(&b, "      - {name: %s, address: %s, ports: {%s: %d}}\n", n.Name, n.Addr.Addr(), protocol, n.Addr.Port())
	}
	s.relay(&b)
	section(&b, "limits", s.Limits)
	section(&b, "timeouts", s.Timeouts)
	if s.Captures != "" {
		fmt.Fprintf(&b, "capture: {dir: %q, rules: [{name: all, url: \"*\"}]}\n", s.Captures)
	}
	return b.String()
}

// Engine is the relay's engine that the tests are to use, as the file has it, from the environment variable
// MEDIAGATE_ENGINE; "" is the program's own choice.
func Engine() string { return os.Getenv("MEDIAGATE_ENGINE") }

// relay writes the section about media, if anything of it is set.
func (s Settings) relay(b *strings.Builder) {
	var client []string
	if s.ClientPorts != "" {
		client = append(client, "ports: "+s.ClientPorts)
	}
	if s.Latch != "" {
		client = append(client, "latch: "+s.Latch)
	}
	engine := cmp.Or(s.Engine, Engine())
	if len(client) == 0 && s.OriginPorts == "" && engine == "" {
		return
	}
	b.WriteString("relay:\n")
	if engine != "" {
		fmt.Fprintf(b, "  engine: %s\n", engine)
	}
	if len(client) > 0 {
		fmt.Fprintf(b, "  client_media: {%s}\n", strings.Join(client, ", "))
	}
	if s.OriginPorts != "" {
		fmt.Fprintf(b, "  origin_media: {ports: %s}\n", s.OriginPorts)
	}
}

// section writes a map of plain values.
func section(b *strings.Builder, name string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", name)
	for key, value := range values {
		fmt.Fprintf(b, "  %s: %s\n", key, value)
	}
}

// Gateway is a running mediagate.
type Gateway struct {
	*Proc
	Addr    netip.AddrPort
	Records string // path of its session records
}

// Binary is the program under test, built once per test process.
func Binary(t testing.TB) string {
	t.Helper()
	return once(t, "mediagate", func(path string) error {
		cmd := exec.Command("go", "build", "-o", path, "./cmd/mediagate")
		cmd.Dir = root(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w: %s", err, out)
		}
		return nil
	})
}

// StartGateway writes the configuration, runs "mediagate run" with it, in a
// namespace if host is not nil, and waits until it is ready. At the end of the
// test it must stop on SIGTERM with exit code 0.
func StartGateway(t testing.TB, s Settings, host *Host) *Gateway {
	t.Helper()
	if s.Records == "" {
		s.Records = filepath.Join(t.TempDir(), "sessions.jsonl")
	}
	return runGateway(t, &Gateway{Addr: s.Listen, Records: s.Records}, s.YAML(), host)
}

// runGateway runs g with a configuration; see StartGateway.
func runGateway(t testing.TB, g *Gateway, yaml string, host *Host) *Gateway {
	t.Helper()
	if e := Engine(); e != "" && !strings.Contains(yaml, "relay:") {
		yaml += "relay: {engine: " + e + "}\n"
	}
	file := filepath.Join(t.TempDir(), "mediagate.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatalf("lab: write configuration: %v", err)
	}
	g.Proc = Start(t, Command{Path: Binary(t), Args: []string{"run", "-c", file}, Host: host})
	g.waitReady(t)
	t.Cleanup(func() {
		// The first signal drains; the second ends what a test left running.
		g.Signal(syscall.SIGTERM)
		select {
		case <-g.Done():
		case <-time.After(time.Second):
		}
		if code := g.Stop(syscall.SIGTERM); code != 0 {
			t.Errorf("lab: mediagate ended with code %d", code)
		}
		if t.Failed() {
			t.Logf("lab: what mediagate wrote:\n%s", g.Output())
		}
	})
	return g
}

// waitReady waits until the program says that it is ready: the first of its addresses may be bound long before the last,
// and what it says of itself at the start is written by then.
func (g *Gateway) waitReady(t testing.TB) {
	t.Helper()
	ready := func() bool {
		said := g.Output()
		return strings.Contains(said, "\tready\t") || strings.Contains(said, `"msg":"ready"`)
	}
	if !Eventually(startLimit, func() bool { return ready() || g.ended() }) || !ready() {
		t.Fatalf("lab: %s is not ready at %s\n%s", g.name, g.Addr, g.Output())
	}
}

// URL is the address of a path at the gateway.
func (g *Gateway) URL(path string) string { return URL(g.Addr, path) }

// waitListen waits until a process listens at an address. It reads the kernel's
// table as that process sees it, which works in another namespace too and
// leaves no trace in the session records, as a trial connection would.
func waitListen(t testing.TB, p *Proc, at netip.AddrPort) {
	t.Helper()
	a := at.Addr().As4()
	want := fmt.Sprintf("%02X%02X%02X%02X:%04X 00000000:0000 0A", a[3], a[2], a[1], a[0], at.Port())
	table := fmt.Sprintf("/proc/%d/net/tcp", p.PID())
	listens := func() bool {
		data, err := os.ReadFile(table)
		return err == nil && strings.Contains(string(data), want)
	}
	Eventually(startLimit, func() bool { return listens() || p.ended() })
	if !listens() {
		t.Fatalf("lab: %s does not listen at %s\n%s", p.name, at, p.Output())
	}
}
