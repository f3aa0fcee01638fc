package httpfallback

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"mediagate/internal/sessionlog"
)

// report is the log that a player sends at its end ([MS-WMSP] 2.2.2.4), by the names of its fields ([MS-WMLOG] 2.1).
type report map[string]string

// legacyFields are the fields of a log in the order in which a line has them ([MS-WMLOG] 2.5, and Summary of an XML log).
var legacyFields = []string{
	"c-ip", "date", "time", "c-dns", "cs-uri-stem", "c-starttime", "x-duration", "c-rate", "c-status", "c-playerid",
	"c-playerversion", "c-playerlanguage", "cs-User-Agent", "cs-Referer", "c-hostexe", "c-hostexever", "c-os", "c-osversion",
	"c-cpu", "filelength", "filesize", "avgbandwidth", "protocol", "transport", "audiocodec", "videocodec", "c-channelURL",
	"sc-bytes", "c-bytes", "s-pkts-sent", "c-pkts-received", "c-pkts-lost-client", "c-pkts-lost-net", "c-pkts-lost-cont-net",
	"c-resendreqs", "c-pkts-recovered-ECC", "c-pkts-recovered-resent", "c-buffercount", "c-totalbuffertime", "c-quality",
	"s-ip", "s-dns", "s-totalclients", "s-cpu-util", "cs-url",
}

const (
	// maxReportField bounds what is kept of one field.
	maxReportField = 2048
	// maxReportTokens bounds what is read of a log: one has some fifty fields.
	maxReportTokens = 4096
)

// readReport is the log in a request, or nil if it is no log POST ([MS-WMSP] 2.2.2.4: what tells one).
func readReport(ex *exchange) *report {
	if ex.in.Method != http.MethodPost || ex.pragma.pipeline || ex.pragma.keepAlive {
		return nil
	}
	if ex.pragma.logLine != "" {
		return readLine(ex.pragma.logLine)
	}
	t, _, _ := strings.Cut(ex.in.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(t), "application/x-wms-LogStats") {
		return nil
	}
	return readXML(ex.body)
}

func readLine(line string) *report {
	r := make(report)
	for i, v := range strings.Fields(line) {
		if i == len(legacyFields) {
			break
		}
		r[legacyFields[i]] = v
	}
	return &r
}

// readXML takes the text of each element; one that is malformed is read as far as it goes.
func readXML(body []byte) *report {
	r := make(report)
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = false
	var name string
	for range maxReportTokens {
		tok, err := d.RawToken()
		if err != nil {
			break
		}
		switch t := tok.(type) {
		case xml.StartElement:
			name = t.Name.Local
		case xml.EndElement:
			name = ""
		case xml.CharData:
			if v := strings.TrimSpace(string(t[:min(len(t), maxReportField)])); name != "" && v != "" && r[name] == "" {
				r[name] = v
			}
		}
	}
	if line := readLine(r["Summary"]); len(r) < len(*line) { // a Summary alone
		return line
	}
	return &r
}

// clientLog is the report as the session record has it. Spans of a player's log are seconds.
func (r *report) clientLog() *sessionlog.ClientLog {
	u32 := func(name string) uint32 {
		n, _ := strconv.ParseUint((*r)[name], 10, 32) // "-" and nonsense are 0, too much is the most
		return uint32(n)
	}
	ms := func(name string) uint32 { return uint32(min(uint64(u32(name))*1000, 1<<32-1)) }
	text := func(name string) string { return (*r)[name] }
	received, _ := strconv.ParseUint(text("c-bytes"), 10, 64)
	rate, _ := strconv.ParseInt(text("c-rate"), 10, 16)
	url := text("cs-url")
	if url == "" || url == "-" {
		url = text("cs-uri-stem")
	}
	return &sessionlog.ClientLog{
		URL: url, UserAgent: text("cs-User-Agent"), PlayerVersion: text("c-playerversion"), OS: text("c-os"), CPU: text("c-cpu"),
		HostExe: text("c-hostexe"), Transport: text("transport"), BytesReceived: received,
		PacketsReceived: u32("c-pkts-received"), PacketsLost: u32("c-pkts-lost-client"), PacketsLostNet: u32("c-pkts-lost-net"),
		PacketsLostCont: u32("c-pkts-lost-cont-net"), ResendRequests: u32("c-resendreqs"),
		PacketsRecovered: u32("c-pkts-recovered-resent"), BufferingCount: u32("c-buffercount"), BufferingMS: ms("c-totalbuffertime"),
		StartMS: ms("c-starttime"), PlayedMS: ms("x-duration"), Rate: int16(rate), MinQuality: u32("c-quality"),
		AudioCodec: text("audiocodec"), VideoCodec: text("videocodec"),
	}
}
