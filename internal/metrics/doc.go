// Package metrics counts what ended and shows what is, for Prometheus.
//
// What it is: counters fed by session records, and gauges that are asked for when somebody looks. What it owns: its
// registry. What it must not know: sessions, pools and sockets (it is given a Live). How it is tested: records in, text out, held
// against Prometheus' own linter and against docs/metrics.md.
package metrics
