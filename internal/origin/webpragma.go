package origin

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"mediagate/mms/mmswire"
)

const unset = math.MaxUint32 // of packet-num, stream-time and both halves of stream-offset. [MS-WMSP] 3.2.5.6

// maxEntries bounds the stream-switch-entry tokens of one request: more streams no ASF file has.
const maxEntries = 127

// pragma is the tokens of a request's Pragma fields, names in lower case. [MS-WMSP] 2.2.1.4.
type pragma map[string]string

// parsePragma reads all Pragma fields; of a token that is there twice the last one holds. What nobody knows is kept.
// [MS-WMSP] 2.2.1.4.10 and 2.2.1.4.27: log-line and stream-switch-entry have a field of their own.
func parsePragma(fields []string) pragma {
	p := pragma{}
	set := func(token string) {
		name, value, _ := strings.Cut(token, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			p[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	for _, field := range fields {
		head := strings.ToLower(strings.TrimSpace(field))
		if strings.HasPrefix(head, "log-line=") || strings.HasPrefix(head, "stream-switch-entry=") {
			set(field)
			continue
		}
		quoted := false
		for _, token := range strings.FieldsFunc(field, func(r rune) bool {
			quoted = quoted != (r == '"')
			return r == ',' && !quoted
		}) {
			set(token)
		}
	}
	return p
}

func (p pragma) has(name string) bool { _, ok := p[name]; return ok }

func (p pragma) on(name string) bool { return p[name] == "1" }

// number is a token's 32 bits; ok is false if it is not there or no number. What follows the digits is passed over.
// Observed: FFmpeg's last Pragma has no line end ("stream-time=0Connection: Close").
func (p pragma) number(name string) (n uint32, ok bool) { return leading(p[name]) }

func leading(text string) (uint32, bool) {
	end := 0
	for end < len(text) && end < 10 && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(text[:end], 10, 32)
	return uint32(n), err == nil
}

// factor is a token's real number, 1 if it is not there or none.
func (p pragma) factor(name string) float64 {
	text, _, _ := strings.Cut(p[name], "Connection")
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 1
	}
	return f
}

// offset is stream-offset. [MS-WMSP] 2.2.1.4.25.
func (p pragma) offset() (n uint64, ok bool) {
	high, low, _ := strings.Cut(p["stream-offset"], ":")
	h, okHigh := leading(high)
	l, okLow := leading(low)
	return uint64(h)<<32 | uint64(l), okHigh && okLow && !(h == unset && l == unset)
}

// entries are stream-switch-entry; what is none is passed over. [MS-WMSP] 2.2.1.4.27.
func (p pragma) entries() (list []mmswire.StreamSwitchEntry) {
	for _, text := range strings.Fields(p["stream-switch-entry"]) {
		var n [3]uint16
		parts := strings.Split(text, ":")
		good := len(parts) == len(n)
		for i := 0; good && i < len(n); i++ {
			v, err := strconv.ParseUint(parts[i], 16, 16)
			n[i], good = uint16(v), err == nil
		}
		if good && len(list) < maxEntries {
			list = append(list, mmswire.StreamSwitchEntry{Src: n[0], Dst: n[1], Thinning: n[2]})
		}
	}
	return list
}

// agent is what a User-Agent field says. [MS-WMSP] 2.2.1.8.
type agent struct {
	token string // "NSPlayer", "NSServer" or "WMCacheProxy"; else this is no client of Windows Media
	major int
}

func parseAgent(text string) agent {
	token, version, _ := strings.Cut(strings.TrimSpace(text), "/")
	for _, known := range []string{"NSPlayer", "NSServer", "WMCacheProxy"} {
		if token == known {
			major, _ := leading(version)
			return agent{token: known, major: int(min(major, 99))}
		}
	}
	return agent{}
}

// The types of requests. [MS-WMSP] 2.2.2. The empty one is an ordinary request of HTTP.
const (
	kindDescribe    = "Describe"
	kindContentInfo = "GetContentInfo"
	kindKeepAlive   = "KeepAlive"
	kindLog         = "Log"
	kindPipeline    = "Pipeline"
	kindPlay        = "Play"
	kindNextEntry   = "PlayNextEntry"
	kindSelect      = "SelectStream"
	kindEvent       = "SendEvent"
	kindStop        = "Stop"
)

// kindOf tells the types of requests apart. [MS-WMSP] 2.2.2.1 to 2.2.2.10.
func kindOf(r *http.Request, p pragma) string {
	switch r.Method {
	case http.MethodOptions:
		return kindKeepAlive
	case http.MethodGet:
		switch {
		case p.has("pipeline-request"):
			return kindPipeline
		case p.on("xplaystrm"):
			return kindPlay
		case p.has("xplaynextentry"):
			return kindNextEntry
		case p.has("stream-switch-entry"):
			return kindSelect
		}
		return kindDescribe
	case http.MethodPost:
		media, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
		switch media = strings.TrimSpace(media); {
		case media == "application/x-wms-logstats", p.has("log-line"):
			return kindLog
		case media == "application/x-wms-getcontentinfo":
			return kindContentInfo
		case media == "application/x-wms-sendevent":
			return kindEvent
		case p.has("xstopstrm"):
			return kindStop
		case p.has("xkeepaliveinpause"):
			return kindKeepAlive
		case p.has("stream-switch-entry"):
			return kindSelect
		}
	}
	return ""
}
