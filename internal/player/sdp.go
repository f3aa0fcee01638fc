package player

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"mediagate/internal/asf"
)

// headerURL is how an ASF header stands in a description. [MS-RTSP] 2.2.5.2.3.1.
const headerURL = "data:application/vnd.ms.wms-hdr.asfv1;base64,"

// description is what SDP says of a presentation.
type description struct {
	wms     bool      // there is an ASF header
	header  *asf.Info // nil without wms
	base    string    // URL of the presentation
	streams []*stream // the ordinary ones
	rtx     *stream   // the resend stream, or nil
}

// stream is one media description.
type stream struct {
	kind, control string // control is an absolute URL
	encoding      string
	clock         int
	number        string // a=stream
	channel       int    // of RTP, over TCP
}

// parseDescription reads SDP; root is the URL that control URLs are relative to if the SDP has none of its own.
func parseDescription(body []byte, root string) (*description, error) {
	d := &description{base: root}
	var streams []*stream
	for line := range strings.Lines(string(body)) {
		line = strings.TrimRight(line, "\r\n")
		key, value, _ := strings.Cut(line, "=")
		switch {
		case key == "m":
			kind, _, _ := strings.Cut(value, " ")
			streams = append(streams, &stream{kind: kind, clock: 90000})
		case key == "a" && len(streams) == 0:
			if err := d.attribute(value); err != nil {
				return nil, err
			}
		case key == "a":
			streams[len(streams)-1].attribute(value)
		}
	}
	for _, s := range streams {
		s.control = joinURL(d.base, s.control)
		if s.encoding == "x-wms-rtx" {
			d.rtx = s
		} else if s.encoding != "x-wms-fec" {
			d.streams = append(d.streams, s)
		}
	}
	if len(d.streams) == 0 {
		return nil, fmt.Errorf("player: describe: no streams in %d bytes", len(body))
	}
	return d, nil
}

// attribute reads one of the session level.
func (d *description) attribute(value string) error {
	name, v, _ := strings.Cut(value, ":")
	switch name {
	case "control":
		d.base = joinURL(d.base, v)
	case "pgmpu":
		text, ok := strings.CutPrefix(v, headerURL)
		if !ok {
			return nil
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("player: describe: ASF header: %w", err)
		}
		if d.header, err = asf.ParseHeader(b); err != nil {
			return fmt.Errorf("player: describe: ASF header: %w", err)
		}
		d.wms = true
	}
	return nil
}

func (s *stream) attribute(value string) {
	name, v, _ := strings.Cut(value, ":")
	switch name {
	case "control":
		s.control = v
	case "stream":
		s.number = v
	case "rtpmap":
		_, v, _ = strings.Cut(v, " ")
		encoding, clock, _ := strings.Cut(v, "/")
		clock, _, _ = strings.Cut(clock, "/")
		s.encoding = encoding
		if n, err := strconv.Atoi(clock); err == nil && n > 0 {
			s.clock = n
		}
	}
}

// joinURL is control, relative to base. RFC 2326, section C.1.1; [MS-RTSP] 2.2.5.2.1. As players do, it is put after the
// base's last slash, or after a new one: RFC 1808 would drop the last part of a base without one.
func joinURL(base, control string) string {
	if control == "" || control == "*" {
		return base
	}
	if u, err := url.Parse(control); err == nil && u.IsAbs() && u.Host != "" {
		return control
	}
	return strings.TrimSuffix(base, "/") + "/" + control
}
