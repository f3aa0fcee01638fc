package transparent_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/lab"
	"mediagate/internal/transparent"
)

var update = flag.Bool("update", false, "write testdata")

// number is what differs from process to process in a dump.
var number = regexp.MustCompile(`made_by_mediagate_[0-9a-f]{16}`)

// operator is a ruleset of somebody else's, of all that nft has in common use.
const operator = `table inet firewall {
	set admins {
		type ipv4_addr
		elements = { 192.0.2.1, 192.0.2.2 }
	}
	counter seen { }
	chain input {
		type filter hook input priority 0; policy accept;
		ip saddr @admins tcp dport 22 counter name seen accept
		meta mark 0x1 accept
	}
	chain mangle {
		type filter hook prerouting priority mangle; policy accept;
		tcp dport 8080 meta mark set 0x1
	}
}
table ip nat {
	chain post {
		type nat hook postrouting priority srcnat
		oifname "wan0" masquerade
	}
}
`

// byHand loads rules in the gateway as an operator would.
func byHand(t *testing.T, n *lab.Network, rules string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Gateway.Run("nft", "-f", file)
}

func TestGolden(t *testing.T) {
	lab.Need(t, "nft")
	n := lab.NewNetwork(t)
	media, off, log := spec(n), spec(n), spec(n)
	media.Forwarding, media.Interfaces = transparent.MediaOnly, []string{lab.OriginLink}
	off.Forwarding, off.Origins = transparent.Off, off.Origins[:1]
	log.KernelLog, log.MediaPorts = true, nil
	for name, s := range map[string]transparent.Spec{"reject": spec(n), "media-only": media, "off-ipv4": off, "kernel-log": log} {
		t.Run(name, func(t *testing.T) {
			install(t, n, s)
			got := number.ReplaceAllString(ruleset(n), "made_by_mediagate_NUMBER") + routing(n)
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNothingOfTheOperatorsIsTouched(t *testing.T) {
	lab.Need(t, "nft")
	n := lab.NewNetwork(t)
	byHand(t, n, operator)
	rulesBefore, routesBefore := ruleset(n), routing(n)
	rules := install(t, n, spec(n))
	during := ruleset(n)
	begin := strings.Index(during, "table inet mediagate {")
	if begin < 0 {
		t.Fatalf("our table is not there: %s", during)
	}
	end := begin + strings.Index(during[begin:], "\n}\n") + len("\n}\n")
	if diff := cmp.Diff(rulesBefore, during[:begin]+during[end:]); diff != "" {
		t.Error("while ours is there:", diff)
	}
	remove(t, n, rules)
	if diff := cmp.Diff(rulesBefore, ruleset(n)); diff != "" {
		t.Error("after:", diff)
	}
	if diff := cmp.Diff(routesBefore, routing(n)); diff != "" {
		t.Error("routes after:", diff)
	}
	remove(t, n, rules) // again: nothing to do
}

// A process that is killed leaves its rules, which go on refusing; the next one takes their place.
func TestKilledAndStartedAgain(t *testing.T) {
	lab.Need(t, "nft")
	n := lab.NewNetwork(t)
	byHand(t, n, operator)
	rulesBefore, routesBefore := ruleset(n), routing(n)
	for range 3 {
		child, said := start(t, n, "install")
		if said != "installed" {
			t.Fatalf("the child says %q", said)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		if got := strings.Count(ruleset(n), "table inet mediagate {"); got != 1 {
			t.Fatalf("%d tables of ours", got)
		}
		if got := strings.Count(routing(n), "lookup 5004"); got != 2 {
			t.Fatalf("%d policy rules of ours, want one for each family: %s", got, routing(n))
		}
	}
	s := spec(n)
	s.Origins = s.Origins[:2] // and the configuration was changed meanwhile
	rules := install(t, n, s)
	if got := ruleset(n); strings.Count(got, "table inet mediagate {") != 1 || strings.Contains(got, n.OriginAddrs[1].String()) {
		t.Errorf("what was left is still there: %s", got)
	}
	remove(t, n, rules)
	if diff := cmp.Diff(rulesBefore+routesBefore, ruleset(n)+routing(n)); diff != "" {
		t.Error(diff)
	}
}

// A process that ends after another has taken over leaves the other's rules.
func TestWhoWasReplacedRemovesNothing(t *testing.T) {
	lab.Need(t, "nft")
	n := lab.NewNetwork(t)
	first := install(t, n, spec(n))
	second := install(t, n, spec(n))
	before := ruleset(n) + routing(n)
	remove(t, n, first)
	if diff := cmp.Diff(before, ruleset(n)+routing(n)); diff != "" {
		t.Error(diff)
	}
	remove(t, n, second)
	if got := ruleset(n); got != "" {
		t.Error(got)
	}
}

func TestWithoutPrivileges(t *testing.T) {
	n := lab.NewNetwork(t)
	_, said := start(t, n, "nobody")
	for _, want := range []string{"CAP_NET_ADMIN", "setcap", "install: true", "dial: true", "listen: true", "watch: true"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	if got := ruleset(n); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// As documented: a user who is not root, with the one capability.
func TestAmbientCapability(t *testing.T) {
	lab.Need(t, "setpriv", "nft")
	n := lab.NewNetwork(t)
	_, said := start(t, n, "install", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
		"--inh-caps", "+net_admin", "--ambient-caps", "+net_admin")
	if said != "installed" {
		t.Errorf("the child says %q", said)
	}
}

// child, in the environment, makes this test program the process that is looked at.
const child = "MEDIAGATE_TRANSPARENT_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(child); how != "" {
		os.Exit(beChild(how))
	}
	os.Exit(m.Run())
}

// beChild says in one line how it went, and stays until it is killed or its input ends.
func beChild(how string) int {
	s := transparent.Spec{Table: "mediagate", Mark: 0x6d67, RouteTable: 5004, Priority: 5004, LogGroup: 5004, Origins: []netip.Addr{
		netip.MustParseAddr("10.99.2.2"), netip.MustParseAddr("10.99.2.3"), netip.MustParseAddr("fd99:2::2")}}
	_, err := transparent.Install(s)
	is := func(err error) bool { return errors.Is(err, transparent.ErrUnsupported) }
	switch {
	case how == "install" && err == nil:
		fmt.Println("installed")
	case how == "install":
		fmt.Println(err)
	default:
		_, dial := transparent.Dial(context.Background(), netip.MustParseAddrPort("10.99.1.2:0"), netip.MustParseAddrPort("10.99.2.2:1"))
		_, listen := transparent.ListenUDP(netip.MustParseAddrPort("10.99.1.2:6970"))
		_, watch := transparent.Watch(1, func(transparent.Refusal) {})
		fmt.Printf("%v; install: %v, dial: %v, listen: %v, watch: %v\n", err, is(err), is(dial), is(listen), is(watch))
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// start runs this program as a child in the gateway, by way of other programs, and gives the first line that it says.
func start(t *testing.T, n *lab.Network, how string, by ...string) (*exec.Cmd, string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "child")
	if how == "nobody" {
		by = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "-all", "--bounding-set", "-all"}
	}
	for dir := filepath.Dir(program); dir != "/tmp" && len(dir) > 1; dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755) // the user who is not root has to come here
	}
	copyFile(t, os.Args[0], program)
	args := append([]string{"netns", "exec", n.Gateway.Namespace}, by...)
	cmd := exec.Command("ip", append(args, program)...)
	cmd.Env = append(os.Environ(), child+"="+how)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}
