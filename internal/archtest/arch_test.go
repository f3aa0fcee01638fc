package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// doors is the plan: each room with the rooms it may import. A room that is not here may not be built; a row may wait
// for its room.
var doors = map[string][]string{
	"cmd/mediagate": {"gateway", "internal/config", "internal/origin", "internal/player", "internal/capture",
		"internal/decode", "internal/doctor"},
	"gateway": {"rtsp", "mms", "udprelay", "balancer", "internal/config", "internal/httpfallback", "internal/transparent",
		"internal/trafficip", "internal/cluster", "internal/admin", "internal/sessionlog", "internal/capture", "internal/steer", "internal/metrics"},
	"rtsp":                  {"rtsp/rtspwire", "udprelay", "balancer", "internal/sessionlog", "internal/capture"},
	"rtsp/rtspwire":         {},
	"mms":                   {"mms/mmswire", "udprelay", "balancer", "internal/sessionlog", "internal/capture"},
	"mms/mmswire":           {},
	"udprelay":              {},
	"balancer":              {},
	"internal/asf":          {},
	"internal/metrics":      {"internal/sessionlog"},
	"internal/capture":      {},
	"internal/cluster":      {},
	"internal/config":       {},
	"internal/decode":       {"rtsp/rtspwire", "mms/mmswire"},
	"internal/admin":        {"internal/sessionlog"},
	"internal/doctor":       {"internal/config", "internal/transparent"},
	"internal/httpfallback": {"balancer", "internal/sessionlog", "internal/capture"},
	"internal/origin":       {"internal/asf", "mms/mmswire"},
	"internal/player":       {"internal/asf", "mms/mmswire"},
	"internal/sessionlog":   {},
	"internal/steer":        {},
	"internal/trafficip":    {},
	"internal/transparent":  {},
	"internal/archtest":     {},
	"internal/e2e":          {anyRoom},
	"internal/lab":          {anyRoom},
	"internal/rig":          {anyRoom},
}

// anyRoom is the door of a test bed: it may enter every room, and only test beds and tests may enter it.
const anyRoom = "*"

// pure are the rooms that see bytes only: no socket, clock, file or log.
var pure = []string{"rtsp/rtspwire", "mms/mmswire", "internal/asf"}

// impure are the packages that a pure room may not import, with all below them but those in stillPure.
var (
	impure    = []string{"net", "os", "time", "syscall", "context", "log", "go.uber.org/zap", "golang.org/x/sys"}
	stillPure = []string{"net/netip"}
)

// guests says where the packages of others may be imported, by room or by file. Packages that are not here may be
// imported anywhere, pure rooms apart.
var guests = []struct {
	path  string
	where []string
}{
	{"github.com/bluenviron/gortsplib", []string{"rtsp/probe.go", "internal/origin", "internal/player"}},
	{"github.com/vishvananda/netlink", append(kernel[:len(kernel):len(kernel)], "internal/steer")}, // to ask
	{"github.com/vishvananda/netns", kernel},
	{"github.com/mdlayher/netlink", kernel},
	{"github.com/google/nftables", kernel},
	{"github.com/cilium/ebpf", []string{"internal/steer", "internal/rig"}},
}

// kernel are the rooms that change the machine's network, and tools are the programs with which one could.
var (
	kernel = []string{"internal/transparent", "internal/trafficip"}
	tools  = []string{"nft", "iptables", "ip", "sysctl"}
)

// pkg is one package as go list tells it, tests left out.
type pkg struct {
	ImportPath string
	Imports    []string
}

func (p pkg) room() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

// below tells whether path is prefix or a package below it.
func below(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

func testBed(room string) bool { return slices.Contains(doors[room], anyRoom) }

// doorFaults checks the imports of packages against a plan.
func doorFaults(pkgs []pkg, plan map[string][]string) []string {
	var faults []string
	for _, p := range pkgs {
		room := p.room()
		open, onPlan := plan[room]
		if !onPlan {
			faults = append(faults, fmt.Sprintf("room %q is not on the plan (ARCHITECTURE.md)", room))
			continue
		}
		for _, imp := range p.Imports {
			if !below(imp, module) {
				continue
			}
			to := pkg{ImportPath: imp}.room()
			if !slices.Contains(open, to) && !slices.Contains(open, anyRoom) {
				faults = append(faults, fmt.Sprintf("%s -> %s: no such door", room, to))
			}
		}
	}
	return faults
}

// planFaults finds doors to rooms that the plan does not have.
func planFaults(plan map[string][]string) []string {
	var faults []string
	for room, open := range plan {
		for _, to := range open {
			if _, ok := plan[to]; !ok && to != anyRoom {
				faults = append(faults, fmt.Sprintf("the plan has a door %s -> %s, and no room %s", room, to, to))
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// importFaults checks what a file imports of others, for each build, against pure and guests.
func importFaults(s source) []string {
	var faults []string
	if s.test() || testBed(s.room()) {
		return nil
	}
	for _, spec := range s.file.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // go/parser has refused it before
		}
		isImpure := slices.ContainsFunc(impure, func(p string) bool { return below(imp, p) }) && !slices.Contains(stillPure, imp)
		if isImpure && slices.Contains(pure, s.room()) {
			faults = append(faults, fmt.Sprintf("%s -> %s: a pure room", s.path, imp))
		}
		for _, g := range guests {
			if below(imp, g.path) && !slices.Contains(g.where, s.room()) && !slices.Contains(g.where, s.path) {
				faults = append(faults, fmt.Sprintf("%s -> %s: only in %s and tests", s.path, imp, strings.Join(g.where, ", ")))
			}
		}
	}
	return faults
}

// toolFaults finds calls of the network's programs outside the kernel rooms.
func toolFaults(s source) []string {
	var faults []string
	if s.test() || testBed(s.room()) || slices.Contains(kernel, s.room()) {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !isExec(call.Fun) {
			return true
		}
		if name := program(call.Args); slices.Contains(tools, name) {
			faults = append(faults, fmt.Sprintf("%s:%d: runs %q: only in %s", s.path, s.line(call.Pos()), name, strings.Join(kernel, ", ")))
		}
		return true
	})
	return faults
}

func isExec(fun ast.Expr) bool {
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "exec" && slices.Contains([]string{"Command", "CommandContext", "LookPath"}, sel.Sel.Name)
}

// program returns the first argument that is written out: a context goes before it.
func program(args []ast.Expr) string {
	for _, arg := range args {
		if lit, ok := arg.(*ast.BasicLit); ok {
			return strings.Trim(lit.Value, "\"`")
		}
	}
	return ""
}

// list asks go list for the packages of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return pkgs
		case err != nil:
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestDoors(t *testing.T) {
	pkgs := list(t)
	if len(pkgs) < 2 {
		t.Fatalf("go list found %d packages", len(pkgs))
	}
	report(t, doorFaults(pkgs, doors))
	report(t, planFaults(doors))
	for _, s := range sources(t) {
		report(t, importFaults(s))
		report(t, toolFaults(s))
	}
}

func TestDoorsFindFaults(t *testing.T) {
	pkgs := []pkg{
		{"mediagate/rtsp", []string{"net", "mediagate/rtsp/rtspwire", "mediagate/mms/mmswire"}},
		{"mediagate/util", nil},
		{"mediagate/udprelay", []string{"mediagate/rtsp/rtspwire"}},
		{"mediagate/internal/e2e", []string{"mediagate/gateway"}},
		{"mediagate/gateway", []string{"mediagate/internal/lab"}},
	}
	want(t, doorFaults(pkgs, doors), "rtsp -> mms/mmswire: no such door", `"util" is not on the plan`,
		"udprelay -> rtsp/rtspwire: no such door", "gateway -> internal/lab: no such door")
	want(t, planFaults(map[string][]string{"a": {"b", "c"}, "b": {anyRoom}}), "a -> c")
}

func TestImportsFindFaults(t *testing.T) {
	for _, tc := range []struct {
		name, path, imports string
		want                []string
	}{
		{"pure room, clean", "rtsp/rtspwire/a.go", `"net/netip"; "strings"; "io"`, nil},
		{"pure room", "mms/mmswire/a.go", `"net"; "net/http"; "time"; "go.uber.org/zap/zapcore"`,
			[]string{"-> net: a pure", "-> net/http: a pure", "-> time: a pure", "zapcore: a pure"}},
		{"pure room's test", "rtsp/rtspwire/a_test.go", `"time"`, nil},
		{"a name that only begins alike", "internal/asf/a.go", `"network"; "timeless"`, nil},
		{"gortsplib's own file", "rtsp/probe.go", `"github.com/bluenviron/gortsplib/v4"`, nil},
		{"gortsplib beside it", "rtsp/session.go", `"github.com/bluenviron/gortsplib/v4/pkg/base"`, []string{"only in rtsp/probe.go"}},
		{"gortsplib in a test", "rtsp/session_test.go", `"github.com/bluenviron/gortsplib/v4"`, nil},
		{"netlink", "udprelay/a.go", `"github.com/vishvananda/netlink"`, []string{"only in internal/transparent"}},
		{"BPF", "udprelay/a.go", `"github.com/cilium/ebpf/link"`, []string{"only in internal/steer, internal/rig"}},
		{"BPF in the rig", "internal/rig/a.go", `"github.com/cilium/ebpf/link"`, nil},
		{"netlink in a kernel room", "internal/trafficip/a.go", `"github.com/vishvananda/netlink/nl"`, nil},
		{"netlink in the test bed", "internal/lab/a.go", `"github.com/vishvananda/netns"`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want(t, importFaults(made(t, tc.path, "package p\nimport ("+tc.imports+")\n")), tc.want...)
		})
	}
}

func TestToolsFindFaults(t *testing.T) {
	const text = `package p
		func f() { exec.Command("nft", "-f"); exec.CommandContext(ctx, "ip"); exec.Command("ffmpeg", "ip"); other.Command("nft") }`
	want(t, toolFaults(made(t, "gateway/a.go", text)), `runs "nft"`, `runs "ip"`)
	want(t, toolFaults(made(t, "internal/transparent/a.go", text)))
}
