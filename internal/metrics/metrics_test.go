package metrics

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"mediagate/internal/sessionlog"
)

type still struct{}

func (still) Sessions() map[string]int { return map[string]int{"RTSP Control": 2} }
func (still) Services() []Service {
	return []Service{{"p", "n1", "rtsp", true, 2}, {"p", "n1", "mms", false, 2}}
}
func (still) Drops() map[string]uint64 { return map[string]uint64{"unknown-source": 7} }
func (still) Loops() []Loop            { return []Loop{{.25, 10, 5, 3, 2, 1}, {.5, 20, 7, 4, 3, 2}} }
func (still) Flows() int               { return 4 }
func (still) RecordsDropped() uint64   { return 6 }

func page(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// told are metrics that have counted a session and one that goes on.
func told() *Metrics {
	m := New("v1", still{})
	first := sessionlog.Seconds(200 * time.Millisecond)
	r := &sessionlog.Record{VirtualServer: "RTSP Control", Protocol: "rtsp", Transport: "udp", Node: "n1", Setup: &first, FirstMedia: &first,
		Duration: sessionlog.Seconds(time.Minute), End: sessionlog.EndState{Who: 'O', Phase: 'P'}, Lost: 3, Resent: 2,
		FromOrigin: sessionlog.Traffic{Packets: 10, Bytes: 100}, Drops: map[string]uint64{"not-rtp": 4}}
	m.Ended(r)
	going := *r
	going.Interim = true
	m.Ended(&going)
	return m
}

func TestPage(t *testing.T) {
	got := page(t, told())
	for _, want := range []string{
		`mediagate_sessions_ended_total{end="OP",node="n1",protocol="rtsp",transport="udp",virtual_server="RTSP Control"} 1`,
		`mediagate_media_packets_total{leg="from_origin",protocol="rtsp"} 10`,
		`mediagate_media_bytes_total{leg="from_origin",protocol="rtsp"} 100`,
		`mediagate_media_lost_packets_total{protocol="rtsp"} 3`,
		`mediagate_media_dropped_packets_total{reason="not-rtp"} 4`,
		`mediagate_resends_total{protocol="rtsp",what="sent"} 2`,
		`mediagate_setup_seconds_bucket{protocol="rtsp",le="0.1"} 0`,
		`mediagate_setup_seconds_count{protocol="rtsp"} 1`,
		`mediagate_first_media_seconds_bucket{protocol="rtsp",le="0.1"} 0`,
		`mediagate_first_media_seconds_bucket{protocol="rtsp",le="0.25"} 1`,
		`mediagate_session_duration_seconds_sum{protocol="rtsp"} 60`,
		`mediagate_sessions{virtual_server="RTSP Control"} 2`,
		`mediagate_node_usable{node="n1",pool="p",service="mms"} 0`,
		`mediagate_node_usable{node="n1",pool="p",service="rtsp"} 1`,
		`mediagate_node_sessions{node="n1",pool="p"} 2`,
		`mediagate_stray_packets_total{reason="unknown-source"} 7`,
		`mediagate_relay_loop_busy_ratio 0.5`,
		`mediagate_relay_packets_total 30`,
		`mediagate_relay_steered_packets_total 12`,
		`mediagate_relay_xdp_packets_total 7`,
		`mediagate_relay_send_calls_total 5`,
		`mediagate_relay_flows 4`,
		`mediagate_session_log_dropped_records_total 6`,
		`mediagate_relay_kernel_dropped_packets_total 3`,
		`version="v1"} 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(got, want+"\n") && !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestNames holds the names against the linter of Prometheus and against the paper.
func TestNames(t *testing.T) {
	m := told()
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	paper, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "mediagate_") {
			continue
		}
		count++
		if !strings.Contains(string(paper), "| `"+f.GetName()+"` |") {
			t.Errorf("docs/metrics.md has no row for %s", f.GetName())
		}
	}
	if rows := strings.Count(string(paper), "| `mediagate_"); rows != count {
		t.Errorf("docs/metrics.md has %d rows, there are %d metrics", rows, count)
	}
}
