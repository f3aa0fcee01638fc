package config

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func wantFaults(t *testing.T, err error) Faults {
	t.Helper()
	var faults Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("want faults, got %v", err)
	}
	return faults
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, []byte(strings.Repeat("# padding\n", maxFile/10+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, part string }{
		{"missing", filepath.Join(dir, "none.yaml"), "no such file"},
		{"below a file", filepath.Join(large, "x.yaml"), "not a directory"},
		{"no name", "", "no such file"},
		{"directory", dir, "this is a directory"},
		{"too large", large, "larger than 1MiB"},
		{"endless", "/dev/zero", "larger than 1MiB"},
		{"nothing", "/dev/null", "the file is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.path)
			f := wantFaults(t, err)[0]
			if f.File != tt.path || !strings.Contains(f.What, tt.part) {
				t.Errorf("got %v, want %q of %q", f, tt.part, tt.path)
			}
		})
	}
	if _, err := Load(filepath.Join(goldenDir, "valid", "smallest.yaml")); err != nil {
		t.Error(err)
	}
}

// TestParseBombs reads what would keep the YAML library busy for minutes, or end the process, if it were let through.
func TestParseBombs(t *testing.T) {
	const size = maxFile / 4 // what is not refused grows with the square: it would take minutes even so
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	var distinct, deep strings.Builder
	for i := 0; distinct.Len() < size; i++ {
		distinct.WriteString("key" + strconv.Itoa(i) + ": x\n")
	}
	for i := 0; deep.Len() < size; i++ {
		deep.WriteString(strings.Repeat(" ", i) + "log:\n")
	}
	tests := []struct{ name, text string }{
		{"lists in lists", fill("[")},
		{"groups in groups", fill("{a: ")},
		{"dashes", fill("- ")},
		{"tags", fill("!a ")},
		{"anchors", fill("&a ")},
		{"keys of keys", fill("? ")},
		{"one key", fill("log: x\n")},
		{"many keys", distinct.String()},
		{"one entry", fill("- x\n")},
		{"deep", deep.String()},
		{"closed before opened", fill("]") + "[["},
		{"documents", fill("---\n")},
		{"line ends", fill("\n")},
		{"a long word", fill("x")},
		{"a long key", fill("x") + ": y"},
		{"an open quote", `"` + fill("x")},
		{"nodes", "pools:\n- name: a\n  nodes:\n" + fill("  - {name: b}\n")},
		{"billion laughs", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("bomb.yaml", []byte(tt.text))
			wantFaults(t, err)
		})
	}
}

func TestForOrigin(t *testing.T) {
	tests := []struct {
		name, addr, node string
		port             uint16
	}{
		{"address", "192.0.2.11", "192.0.2.11", 554},
		{"address and port", "192.0.2.11:8554", "192.0.2.11", 8554},
		{"IPv6", "2001:db8::1", "2001:db8::1", 554},
		{"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1", 554},
		{"IPv6 and port", "[2001:db8::1]:8554", "2001:db8::1", 8554},
		{"zone", "fe80::1%eth0", "fe80::1%eth0", 554},
		{"zone and port", "[fe80::1%eth0]:8554", "fe80::1%eth0", 8554},
		{"zone written twice", "fe80::1%%eth0", "", 0},
		{"zone written twice, and port", "[fe80::1%%eth0]:554", "", 0},
		{"IPv4 in IPv6", "::ffff:192.0.2.11", "192.0.2.11", 554},
		{"empty", "", "", 0},
		{"name", "origin.test", "", 0},
		{"name and port", "origin.test:554", "", 0},
		{"URL", "rtsp://192.0.2.11/", "", 0},
		{"port 0", "192.0.2.11:0", "", 0},
		{"port too high", "192.0.2.11:65536", "", 0},
		{"port missing", "192.0.2.11:", "", 0},
		{"unspecified", "0.0.0.0", "", 0},
		{"multicast", "239.1.1.1:554", "", 0},
		{"half a bracket", "[192.0.2.11", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ForOrigin(tt.addr)
			if tt.node == "" {
				wantFaults(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Errorf("the zero configuration has faults: %v", err)
			}
			n := c.Pools[0].Nodes[0]
			if n.Address.String() != tt.node || n.Ports.RTSP != tt.port || n.Ports.MMS != 1755 {
				t.Errorf("got %v ports %v, want %s port %d", n.Address, n.Ports, tt.node, tt.port)
			}
			for i, want := range []string{"rtsp :554", "mms :1755"} {
				vs := c.VirtualServers[i]
				if got := vs.Protocol + " " + vs.Listen[0].String(); got != want || !vs.UDP {
					t.Errorf("virtual server %d: %s, UDP %v; want %s with UDP", i, got, vs.UDP, want)
				}
			}
		})
	}
}

func TestValidateByHand(t *testing.T) {
	c, err := ForOrigin("192.0.2.11")
	if err != nil {
		t.Fatal(err)
	}
	c.Pools[0].Nodes[0].Weight = 0
	faults := wantFaults(t, c.Validate())
	if got, want := faults[0].Path, "pools[0].nodes[0].weight"; got != want || len(faults) != 1 {
		t.Errorf("got %v, want one fault at %s", faults, want)
	}
}
