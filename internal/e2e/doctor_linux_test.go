package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// finding is a line of doctor --json.
type finding struct{ Test, State, What, Mend string }

// small are buffers that every kernel grants.
const small = "relay: {receive_buffer: 16KiB, send_buffer: 16KiB}\n"

// doctor runs the command in the gateway, by way of other programs, and gives
// its exit code and what it found.
func (s *transparentStage) doctor(t *testing.T, yaml string, by ...string) (int, []finding) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mediagate.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"netns", "exec", s.Gateway.Namespace}, by...)
	out, err := exec.Command("ip", append(args, lab.Binary(t), "doctor", "-c", file, "--json")...).Output()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	var all []finding
	for line := range strings.Lines(string(out)) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, f)
	}
	return code, all
}

// judgeDoctor wants the faults of one test, one of which says what and how it is
// mended, and no others; test "" wants none.
func judgeDoctor(t *testing.T, code int, all []finding, test, what, mend string) {
	t.Helper()
	named := false
	for _, f := range all {
		if f.State != "fault" {
			continue
		}
		if f.Test != test {
			t.Errorf("a fault that is none: %+v", f)
		}
		named = named || strings.Contains(f.What, what) && strings.Contains(f.Mend, mend)
	}
	if named != (test != "") || (code == 1) != (test != "") || len(all) < 8 {
		t.Errorf("code %d, want a fault of %q with %q and %q: %+v", code, test, what, mend, all)
	}
}

// newDoctorStage has the origins and no gateway yet.
func newDoctorStage(t *testing.T) *transparentStage {
	t.Helper()
	s := &transparentStage{Network: lab.NewNetwork(t)}
	for i, host := range s.Origins {
		s.origins = append(s.origins, lab.StartEmbeddedOrigin(t, s.OriginAddrs[i], host), lab.StartEmbeddedOrigin(t, s.OriginAddrs6[i], host))
	}
	return s
}

// TestDoctor: a healthy network without and with a gateway that runs, and what
// doctor leaves.
func TestDoctor(t *testing.T) {
	lab.Need(t, "nft")
	s := newDoctorStage(t)
	code, all := s.doctor(t, s.yaml()+small)
	judgeDoctor(t, code, all, "", "", "")
	if got := s.Gateway.Run("nft", "list", "ruleset") + s.Gateway.Run("ip", "rule", "list", "table", "5004"); got != "" {
		t.Errorf("left behind: %s", got)
	}
	s.gw = lab.StartConfigured(t, s.yaml()+small, s.listen(), s.Gateway)
	code, all = s.doctor(t, s.yaml()+small)
	judgeDoctor(t, code, all, "", "", "")
	if got := s.Gateway.Run("nft", "list", "ruleset"); !strings.Contains(got, "table inet mediagate") {
		t.Errorf("the gateway's rules are gone: %s", got)
	}
	s.gw.Signal(syscall.SIGSTOP) // or it would put back what is missing
	s.Gateway.Run("ip", "rule", "del", "priority", "5004")
	code, all = s.doctor(t, s.yaml()+small)
	s.gw.Signal(syscall.SIGCONT)
	judgeDoctor(t, code, all, "rules", "policy rule of priority 5004 (IPv4) is not there", "ip -4 rule add fwmark 0x6d67 lookup 5004")
}

// TestDoctorFaults makes each fault in turn; doctor names it, and it alone.
func TestDoctorFaults(t *testing.T) {
	lab.Need(t, "nft", "setpriv", "/usr/bin/python3")
	s := newDoctorStage(t)
	chain := func(table, hook, rules string) string {
		return "table " + table + " {\nchain c {\n" + hook + "\n" + rules + "\n}\n}"
	}
	const remove = "nft flush ruleset"
	for _, tc := range []struct {
		name, make, undo string // words for programs in the gateway; "nft TEXT" is rules as they are
		yaml             func(string) string
		by               []string
		test, what, mend string
	}{
		{name: "privileges", by: []string{"setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"},
			test: "privileges", what: "CAP_NET_ADMIN is missing", mend: "setcap cap_net_admin"},
		{name: "address", yaml: func(y string) string { return strings.ReplaceAll(y, s.GatewayClient.String(), "10.99.3.77") },
			test: "addresses", what: "10.99.3.77", mend: "ip addr add 10.99.3.77/32"},
		{name: "buffers", yaml: func(y string) string { return strings.Replace(y, "receive_buffer: 16KiB", "receive_buffer: 64MiB", 1) },
			test: "limits", what: "relay.receive_buffer", mend: "sysctl -w net.core.rmem_max="},
		{name: "shadowed rule", make: "ip rule add priority 90 lookup 7", undo: "ip rule del priority 90",
			test: "rules", what: "takes every packet", mend: "below 90"},
		{name: "mark in use", make: "nft " + chain("ip x", "type filter hook prerouting priority raw", "meta mark set 0x6d67"), undo: remove,
			test: "rules", what: "sets the mark 0x6d67", mend: "transparent.mark"},
		{name: "mtu", make: "ip link set client0 mtu 1400", undo: "ip link set client0 mtu 1500",
			test: "mtu", what: "client0", mend: "ip link set client0 mtu 1500"},
		{name: "strict filter", yaml: func(y string) string { return y + "transparent: {interfaces: [origin0, client0]}\n" },
			make: "rp_filter 1", undo: "rp_filter 0",
			test: "rp_filter", what: "rp_filter of client0 is strict", mend: "net.ipv4.conf.client0.rp_filter=2"},
		{name: "nat", make: "nft " + chain("ip n", "type nat hook postrouting priority 100", "oifname origin0 tcp dport 1 masquerade"), undo: remove,
			test: "rules", what: "translates the addresses", mend: "oifname origin0 accept"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.change(t, tc.make)
			yaml := s.yaml() + small
			if tc.yaml != nil {
				yaml = tc.yaml(yaml)
			}
			code, all := s.doctor(t, yaml, tc.by...)
			judgeDoctor(t, code, all, tc.test, tc.what, tc.mend)
			s.change(t, tc.undo)
		})
	}
}

// change runs a command of the table above.
func (s *transparentStage) change(t *testing.T, command string) {
	t.Helper()
	program, rest, _ := strings.Cut(command, " ")
	switch program {
	case "":
	case "rp_filter":
		s.Gateway.SetSysctl("net/ipv4/conf/client0/rp_filter", rest)
	case "nft":
		s.Gateway.Run("nft", rest)
	default:
		s.Gateway.Run(program, strings.Fields(rest)...)
	}
}

// TestDoctorWays: faults that have others behind them.
func TestDoctorWays(t *testing.T) {
	lab.Need(t, "nft", "/usr/bin/python3")
	s := newDoctorStage(t)
	has := func(name, test, what, mend string) {
		t.Helper()
		code, all := s.doctor(t, s.yaml()+small)
		for _, f := range all {
			if code == 1 && f.State == "fault" && f.Test == test && strings.Contains(f.What, what) && strings.Contains(f.Mend, mend) {
				return
			}
		}
		t.Errorf("%s: code %d, want a fault of %q with %q and %q: %+v", name, code, test, what, mend, all)
	}
	s.Gateway.Run("nft", "table inet fw {\nchain c {\ntype filter hook input priority 0; policy drop\nfib daddr type local accept\nmeta l4proto ipv6-icmp accept\n}\n}")
	has("input drops", "rules", "chain c of table inet fw drops", "meta mark 0x6d67 accept")
	s.Gateway.Run("nft", "flush", "ruleset")

	s.Gateway.SetSysctl("net/ipv4/conf/all/src_valid_mark", "1")
	has("src_valid_mark", "rp_filter", "src_valid_mark is set", "src_valid_mark=0")
	s.Gateway.SetSysctl("net/ipv4/conf/all/src_valid_mark", "0")

	taken := lab.Start(t, lab.Command{Path: "/usr/bin/python3", Host: s.Gateway,
		Args: []string{"-c", "import socket, time; s = socket.create_server((\"" + s.GatewayClient.String() + "\", 1755)); time.sleep(600)"}})
	if !lab.Eventually(10*time.Second, func() bool {
		return strings.Contains(s.Gateway.Run("ss", "-Hlnt"), s.GatewayClient.String()+":1755")
	}) {
		t.Fatal("python does not listen")
	}
	has("port taken", "ports", "taken by python3", "stop python3")
	taken.Kill()

	s.Origins[0].Run("ip", "route", "replace", "default", "via", "10.99.2.3")
	has("way back", "node a way back", "does not answer a client", "on the node: ip route replace default via 10.99.2.1")
	s.Origins[0].Run("ip", "route", "replace", "default", "via", "10.99.2.1")

	s.origins[0].Kill()
	has("node down", "node a mms", "connection refused", "start the service")
}
