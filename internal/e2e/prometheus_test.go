package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mediagate/internal/lab"
)

// promtool runs Prometheus' own tool in the directory of the rules, with something to read.
func promtool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir, cmd.Stdin = "../../docs/prometheus", strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestPrometheus: the rules that are shipped are rules, each fires when it should and not before, and they and the dashboard ask for
// what a running gateway shows.
func TestPrometheus(t *testing.T) {
	lab.Need(t, "promtool", "curl", "ffmpeg")
	promtool(t, "", "check", "config", "prometheus.yml")
	promtool(t, "", "test", "rules", "alerts_test.yml")
	if rules, tested := named(t, "alerts.yml", `- alert: (\w+)`), named(t, "alerts_test.yml", `alertname: (\w+)`); fmt.Sprint(rules) != fmt.Sprint(tested) {
		t.Errorf("alerts %v, tested %v", rules, tested)
	}

	from := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	at := lab.FreePort(t, lab.Loopback(t))
	s := lab.Settings{Listen: lab.FreePort(t, lab.Loopback(t)), Records: filepath.Join(t.TempDir(), "sessions.jsonl"), Nodes: []lab.Node{node("one", from.Addr)}}
	runInProcess(t, s, s.YAML()+fmt.Sprintf("admin: {listen: %q}\n", at))
	p := lab.Play(t, lab.FFmpeg("tcp"), lab.URL(s.Listen, from.Path()), nil)
	p.WaitFrames(5, 5, playLimit)
	p.Kill()
	lab.WaitRecord(t, s.Records, recordLimit, func(r lab.Record) bool { return r.ToClient.Packets > 0 })
	page, status, _ := lab.Fetch(t, "http://"+at.String()+"/metrics")
	if status != "200" {
		t.Fatalf("status %s", status)
	}
	ours := regexp.MustCompile(`(?m)^(# (HELP|TYPE) )?mediagate_.*\n`)
	if said := promtool(t, strings.Join(ours.FindAllString(page, -1), ""), "check", "metrics"); strings.TrimSpace(said) != "" {
		t.Errorf("promtool says of our metrics: %s", said)
	}
	for _, file := range []string{"prometheus/alerts.yml", "grafana/mediagate.json"} {
		for name := range askedFor(t, file) {
			// A counter with labels is there once something was counted.
			if !strings.Contains(page, "\n"+name) && !strings.Contains(metricsPaper(t), "| `"+strings.TrimSuffix(name, "_bucket")+"` |") {
				t.Errorf("%s asks for %s, which nobody shows", file, name)
			}
		}
	}
}

// named are what a file of the rules names, in order.
func named(t *testing.T, file, pattern string) (all []string) {
	t.Helper()
	data, err := os.ReadFile("../../docs/prometheus/" + file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			all = append(all, m[1])
		}
	}
	return all
}

// askedFor are the metrics that a file asks for.
func askedFor(t *testing.T, file string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(file, ".json") && !json.Valid(data) {
		t.Fatalf("%s is no JSON", file)
	}
	all := map[string]bool{}
	for _, name := range regexp.MustCompile(`mediagate_\w+`).FindAllString(string(data), -1) {
		all[name] = true
	}
	if len(all) < 5 {
		t.Errorf("%s asks for %v only", file, all)
	}
	return all
}

func metricsPaper(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
