package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mediagate/internal/lab"
)

// TestTransparentRefuses: what an origin sends beside its sessions is rejected,
// and the program's own log names it.
func TestTransparentRefuses(t *testing.T) {
	lab.Need(t, "ping", "nft", "/usr/bin/python3")
	s := newTransparentStage(t, lab.SampleASF(t), []string{"sample.wmv"}, "")
	ping := exec.Command("ip", "netns", "exec", s.Origins[0].Namespace, "ping", "-c", "1", "-W", "3", s.ClientAddr.String())
	if out, err := ping.CombinedOutput(); err == nil || !strings.Contains(string(out), "Packet filtered") {
		t.Errorf("ping: %v: %s", err, out)
	}
	s.Origins[0].SendUDP(netip.AddrPortFrom(s.ClientAddr, 6970))
	for _, want := range []string{`"reason": "icmp", "from": "10.99.2.2:0", "to": "10.99.1.2:0"`, `"reason": "udp", "from": "10.99.2.2:`} {
		if !lab.Eventually(recordLimit, func() bool { return strings.Contains(s.gw.Output(), want) }) {
			t.Errorf("the log does not say %s", want)
		}
	}
	rules := func() string { return s.Gateway.Run("nft", "list", "ruleset") }
	if !strings.Contains(rules(), "table inet mediagate") {
		t.Errorf("the rules are not there: %s", rules())
	}
	// A firewall that is loaded anew takes them away; they come back.
	s.Gateway.Run("nft", "flush", "ruleset")
	if !lab.Eventually(playLimit, func() bool { return strings.Contains(rules(), "table inet mediagate") }) {
		t.Error("the rules do not come back")
	}
	if code := s.gw.Stop(syscall.SIGTERM); code != 0 {
		t.Errorf("ended with code %d", code)
	}
	if got := rules(); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// TestTransparentPrivileges: without the capability the program says what is
// missing; with it alone, as a user who is not root, it runs.
func TestTransparentPrivileges(t *testing.T) {
	lab.Need(t, "setpriv", "setcap", "nft")
	s := &transparentStage{Network: lab.NewNetwork(t)}
	dir, err := os.MkdirTemp("/var/tmp", "mediagate-test-") // where a user who is not root can run it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program, file := filepath.Join(dir, "mediagate"), filepath.Join(dir, "mediagate.yaml")
	binary, err := os.ReadFile(lab.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		path string
		data []byte
	}{{program, binary}, {file, []byte(s.yaml() + "sessions: {log: \"-\"}\n")}} {
		if err := os.WriteFile(f.path, f.data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	nobody := []string{"--reuid", "65534", "--regid", "65534", "--clear-groups"}
	run := func(privileges ...string) *lab.Proc {
		return lab.Start(t, lab.Command{Path: "setpriv", Host: s.Gateway,
			Args: append(append(append([]string(nil), nobody...), privileges...), program, "run", "-c", file)})
	}
	bind := run("--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service")
	if code := bind.WaitExit(playLimit); code == 0 || !strings.Contains(bind.Output(), "lacks CAP_NET_ADMIN") {
		t.Errorf("without CAP_NET_ADMIN: code %d: %s", code, bind.Output())
	}
	ambient := run("--inh-caps", "+net_bind_service,+net_admin", "--ambient-caps", "+net_bind_service,+net_admin")
	s.judgeReady(t, "with ambient capabilities", ambient)
	if out, err := exec.Command("setcap", "cap_net_admin,cap_net_bind_service+ep", program).CombinedOutput(); err != nil {
		t.Fatalf("setcap: %v: %s", err, out)
	}
	s.judgeReady(t, "with setcap", run())
}

// judgeReady waits until the program is ready, and stops it: nothing of it stays.
func (s *transparentStage) judgeReady(t *testing.T, how string, p *lab.Proc) {
	t.Helper()
	if !lab.Eventually(playLimit, func() bool { return strings.Contains(p.Output(), "ready") }) {
		t.Errorf("%s: %s", how, p.Output())
	}
	if code := p.Stop(syscall.SIGTERM); code != 0 {
		t.Errorf("%s: code %d: %s", how, code, p.Output())
	}
	if got := s.Gateway.Run("nft", "list", "ruleset"); got != "" {
		t.Errorf("%s: left behind: %s", how, got)
	}
}
