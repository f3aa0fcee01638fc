package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Services are settings of a gateway that speaks several protocols at one
// address, each at its usual port, in front of the same nodes. Its virtual
// servers have the names of their protocols in capitals.
type Services struct {
	Addr      netip.Addr
	Protocols []string // "http", "rtsp", "mms"; the first one's port is the gateway's Addr
	Nodes     []ServiceNode
	Policy    string
	Monitor   string   // as in the file
	Announce  []string // virtual servers that announcements list; none: all
}

// ServiceNode is an origin with a port for each protocol; one that is left out
// is the usual one.
type ServiceNode struct {
	Name  string
	Addr  netip.Addr
	Ports map[string]uint16
}

// UsualPort is where players look for a protocol.
func UsualPort(protocol string) uint16 {
	return map[string]uint16{"http": 80, "rtsp": 554, "mms": 1755}[protocol]
}

// YAML is the configuration file.
func (s Services) YAML(records string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log: {level: info, format: console}\nsessions: {log: %q}\nvirtual_servers:\n", records)
	for _, p := range s.Protocols {
		more := ""
		if p == "http" && len(s.Announce) > 0 {
			more = ", announce: [" + strings.Join(s.Announce, ", ") + "]"
		}
		fmt.Fprintf(&b, "  - {name: %s, protocol: %s, listen: [%q], pool: origins%s}\n",
			strings.ToUpper(p), p, netip.AddrPortFrom(s.Addr, UsualPort(p)), more)
	}
	b.WriteString("pools:\n  - name: origins\n")
	for key, value := range map[string]string{"policy": s.Policy, "monitor": s.Monitor} {
		if value != "" {
			fmt.Fprintf(&b, "    %s: %s\n", key, value)
		}
	}
	b.WriteString("    nodes:\n")
	for _, n := range s.Nodes {
		fmt.Fprintf(&b, "      - {name: %s, address: %s, ports: {", n.Name, n.Addr)
		for p, port := range n.Ports {
			fmt.Fprintf(&b, "%s: %d, ", p, port)
		}
		b.WriteString("}}\n")
	}
	return b.String()
}

// StartServices runs the program like StartGateway. It needs root, for the
// ports.
func StartServices(t testing.TB, s Services) *Gateway {
	t.Helper()
	NeedRoot(t)
	g := &Gateway{Addr: netip.AddrPortFrom(s.Addr, UsualPort(s.Protocols[0])), Records: filepath.Join(t.TempDir(), "sessions.jsonl")}
	return runGateway(t, g, s.YAML(g.Records), nil)
}

// FinalRecords stops the program, which ends the sessions of HTTP that only wait
// for the player's next request (15 s otherwise), and gives all records.
func (g *Gateway) FinalRecords(t testing.TB) []Record {
	t.Helper()
	g.Signal(syscall.SIGTERM)
	if code := g.WaitExit(20 * time.Second); code != 0 {
		t.Errorf("lab: mediagate ended with code %d", code)
	}
	return Records(t, g.Records)
}

// Fetch has curl(1) get a URL: an ordinary client of HTTP that we did not write.
// It gives the body, and the status with the type of the body.
func Fetch(t testing.TB, url string, args ...string) (body, status, kind string) {
	t.Helper()
	Need(t, "curl")
	out := filepath.Join(t.TempDir(), "body")
	var said string
	p := Start(t, Command{Path: "curl", Stdout: func(line string) { said = line }, Args: append([]string{
		"--silent", "--show-error", "--max-time", "30", "--output", out, "--write-out", "%{http_code} %{content_type}\n", url}, args...)})
	if code := p.WaitExit(40 * time.Second); code != 0 {
		t.Fatalf("lab: curl %s: code %d\n%s", url, code, p.Output())
	}
	data, err := os.ReadFile(out)
	if err != nil && !os.IsNotExist(err) {
		t.Fatalf("lab: read what curl got: %v", err)
	}
	status, kind, _ = strings.Cut(said, " ")
	return string(data), status, kind
}
