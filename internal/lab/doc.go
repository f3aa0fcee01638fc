// Package lab is the test bed: it starts programs that we did not write around
// the gateway (FFmpeg, GStreamer, MPlayer, VLC, libmms, curl, GStreamer's RTSP
// server, VLC's of HTTP, an origin on gortsplib), counts what they decode, compares what they write with
// what was played, takes captures apart with Wireshark's dissectors, reads the
// session records, builds network namespaces and looks for leaks.
//
// What it owns: every process, listener, namespace and file that it starts
// belongs to the test that asked for it and ends in that test's cleanup, also
// when the test fails. Processes are ended by their id and process group,
// never by name; namespaces carry the id of the test process in their name, so
// that those of a test process that was killed are found and removed by the
// next one.
//
// What it must not know: how the gateway works inside. It speaks to it as
// players, origins and operators do: over sockets, configuration and records.
// It is imported by tests only.
//
// How it is tested: its own tests play from the origins without a gateway
// between them, so that a fault found by internal/e2e is the gateway's and not
// the bed's. A program that is not installed skips the test with the reason
// printed, or fails it where the environment says CI=true.
package lab
