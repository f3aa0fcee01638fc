package player

import (
	"bytes"
	"context"
	"encoding/xml"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"mediagate/internal/asf"
)

// logField is a field of a log and its value, empty if we do not know it.
type logField struct{ name, value string }

// logTail is how many of the last fields only the XML form has. [MS-WMLOG] 2.5.
const logTail = 1

// sendLog reports what came of an entry: what was counted, and nothing that was not. What comes of that does not matter
// to the media. [MS-WMSP] 2.2.2.4.
func (r *httpRun) sendLog(ctx context.Context, s *httpStream) {
	fields := r.logFields(s, time.Now().UTC())
	q := request{kind: "log", method: "POST", pragma: []string{"no-cache"}}
	if r.cougar >= 9 { // [MS-WMSP] 3.1.5.13
		q.contentType, q.body = "application/x-wms-LogStats;charset=UTF-8", logXML(fields)
	} else {
		q.pragma = append(q.pragma, "log-line="+logLine(fields[:len(fields)-logTail]))
	}
	if err := r.aside(ctx, q); err != nil {
		r.step("log not taken: %v", err)
		return
	}
	r.step("logged %d packets", s.flow.packets)
}

// logFields are the fields of a log in their order. [MS-WMLOG] 2.1 and 2.5. Nothing is buffered or decoded here: the
// buffering is none, the codecs are those of the file, and what was played is what came.
func (r *httpRun) logFields(s *httpStream, now time.Time) []logField {
	f := s.flow
	lost := f.lost + uint64(len(f.missing))
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	quality, bandwidth := uint64(0), ""
	if all := f.packets + lost; all > 0 {
		quality = 100 * f.packets / all
	}
	if d := s.lastAt.Sub(s.firstAt); d > 0 {
		bandwidth = n(uint64(float64(8*s.payload) * float64(time.Second) / float64(d)))
	}
	length, size, audio, video := r.logMedia()
	return []logField{
		{"c-ip", "0.0.0.0"}, {"date", now.Format(time.DateOnly)}, {"time", now.Format(time.TimeOnly)}, {"c-dns", ""},
		{"cs-uri-stem", r.url.String()}, {"c-starttime", n(uint64(max(r.o.Start, 0) / time.Second))},
		{"x-duration", n(uint64(s.sent[1]-s.sent[0]) / 1000)}, {"c-rate", "1"}, {"c-status", "200"},
		{"c-playerid", "{" + r.guid + "}"}, {"c-playerversion", strings.TrimPrefix(nsPlayerHTTP, "NSPlayer/")},
		{"c-playerlanguage", ""}, {"cs-User-Agent", nsPlayerHTTP}, {"cs-Referer", ""},
		{"c-hostexe", filepath.Base(os.Args[0])}, {"c-hostexever", ""}, {"c-os", runtime.GOOS}, {"c-osversion", ""},
		{"c-cpu", runtime.GOARCH}, {"filelength", length}, {"filesize", size}, {"avgbandwidth", bandwidth},
		{"protocol", "http"}, {"transport", "TCP"}, {"audiocodec", audio}, {"videocodec", video}, {"c-channelURL", ""},
		{"sc-bytes", ""}, {"c-bytes", n(s.payload)}, {"s-pkts-sent", ""}, {"c-pkts-received", n(f.packets)},
		{"c-pkts-lost-client", n(lost)}, {"c-pkts-lost-net", n(s.unsent)}, {"c-pkts-lost-cont-net", n(s.longest)},
		{"c-resendreqs", "0"}, {"c-pkts-recovered-ECC", "0"}, {"c-pkts-recovered-resent", "0"}, {"c-buffercount", "0"},
		{"c-totalbuffertime", "0"}, {"c-quality", n(quality)}, {"s-ip", ""}, {"s-dns", ""}, {"s-totalclients", ""},
		{"s-cpu-util", ""}, {"cs-url", r.url.String()},
	}
}

// logMedia is what the header says of the file: seconds, bytes and codecs; nothing of a broadcast's length.
func (r *httpRun) logMedia() (length, size, audio, video string) {
	info := r.info
	if !info.Broadcast {
		length = strconv.FormatUint(info.Duration/1000, 10)
		size = strconv.FormatUint(uint64(len(info.Header))+info.PacketCount*uint64(info.PacketSize), 10)
	}
	for _, s := range info.Streams {
		switch {
		case s.Kind == asf.Audio && audio == "":
			audio = s.Codec
		case s.Kind == asf.Video && video == "":
			video = s.Codec
		}
	}
	return length, size, audio, video
}

// logLine is a log as one line: no value has spaces, and none is empty. [MS-WMLOG] 2.1.
func logLine(fields []logField) string {
	values := make([]string, len(fields))
	for i, f := range fields {
		if values[i] = strings.Join(strings.Fields(f.value), "_"); values[i] == "" {
			values[i] = "-"
		}
	}
	return strings.Join(values, " ")
}

// logXML is a log in XML, with the line in it too. [MS-WMLOG] 2.4.
func logXML(fields []logField) []byte {
	var b bytes.Buffer
	element := func(name, value string) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(value)) // a Buffer takes everything
		b.WriteString("</" + name + ">")
	}
	b.WriteString("<XML>")
	element("Summary", logLine(fields))
	for _, f := range fields {
		element(f.name, logLine([]logField{f}))
	}
	b.WriteString("</XML>")
	return b.Bytes()
}
