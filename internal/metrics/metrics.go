package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mediagate/internal/sessionlog"
)

// Metrics are all that is shown. No label has a session, a client or a URL in it: their number is bounded by the
// configuration and by this program's own words. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	sessions, packets, bytes, lost, late, drops, resends *prometheus.CounterVec
	duration, setup, first                               *prometheus.HistogramVec
}

// New returns metrics that ask live when somebody looks.
func New(version string, live Live) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"protocol"})
		m.registry.MustRegister(v)
		return v
	}
	m.sessions = counter("mediagate_sessions_ended_total", "Sessions that have ended, by how.", "virtual_server", "protocol", "transport", "node", "end")
	m.packets = counter("mediagate_media_packets_total", "Media packets of ended sessions, by leg.", "protocol", "leg")
	m.bytes = counter("mediagate_media_bytes_total", "Bytes of media payload of ended sessions, by leg.", "protocol", "leg")
	m.lost = counter("mediagate_media_lost_packets_total", "Packets of ended sessions that never came from the node.", "protocol")
	m.late = counter("mediagate_media_late_packets_total", "Packets of ended sessions that came from the node out of their order.", "protocol")
	m.drops = counter("mediagate_media_dropped_packets_total", "Packets of ended sessions that were not relayed, by reason.", "reason")
	m.resends = counter("mediagate_resends_total", "Packets of ended sessions that players asked for again, and that nodes sent again.", "protocol", "what")
	m.duration = histogram("mediagate_session_duration_seconds", "How long ended sessions lasted.", []float64{1, 10, 60, 300, 900, 3600, 14400})
	m.setup = histogram("mediagate_setup_seconds", "From the begin of a session to the answer after which media runs.", []float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10})
	m.first = histogram("mediagate_first_media_seconds", "From the begin of a session to its first media packet.", []float64{.025, .05, .1, .25, .5, 1, 2, 5, 10, 20})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mediagate_build_info", Help: "1, with the program's version.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(build, &now{live: live}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Ended counts a session. One that goes on is not counted yet.
func (m *Metrics) Ended(r *sessionlog.Record) {
	if r.Interim {
		return
	}
	m.sessions.WithLabelValues(r.VirtualServer, r.Protocol, r.Transport, r.Node, r.End.String()).Inc()
	for leg, t := range map[string]sessionlog.Traffic{
		"from_origin": r.FromOrigin, "to_client": r.ToClient, "from_client": r.FromClient, "to_origin": r.ToOrigin,
	} {
		m.packets.WithLabelValues(r.Protocol, leg).Add(float64(t.Packets))
		m.bytes.WithLabelValues(r.Protocol, leg).Add(float64(t.Bytes))
	}
	m.lost.WithLabelValues(r.Protocol).Add(float64(r.Lost))
	m.late.WithLabelValues(r.Protocol).Add(float64(r.Late))
	m.resends.WithLabelValues(r.Protocol, "asked").Add(float64(r.ResendRequests))
	m.resends.WithLabelValues(r.Protocol, "sent").Add(float64(r.Resent))
	for reason, n := range r.Drops {
		m.drops.WithLabelValues(reason).Add(float64(n))
	}
	m.duration.WithLabelValues(r.Protocol).Observe(time.Duration(r.Duration).Seconds())
	if r.Setup != nil {
		m.setup.WithLabelValues(r.Protocol).Observe(time.Duration(*r.Setup).Seconds())
	}
	if r.FirstMedia != nil {
		m.first.WithLabelValues(r.Protocol).Observe(time.Duration(*r.FirstMedia).Seconds())
	}
}

// Handler answers Prometheus, in its text format or OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}
