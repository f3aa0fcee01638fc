package httpfallback

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
)

// announcePrefix and announceSuffix are around the path of an announcement.
const (
	announcePrefix = "/announce"
	announceSuffix = ".asx"
)

// announce answers GET /announce/PATH.asx, if it is configured, and says whether it has.
func (p *Proxy) announce(w http.ResponseWriter, r *http.Request) bool {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), announcePrefix+"/")
	if !ok || p.cfg.Announce == nil {
		return false
	}
	h := w.Header()
	if path, ok = strings.CutSuffix(path, announceSuffix); !ok || path == "" {
		http.Error(w, "an announcement is /announce/PATH.asx", http.StatusNotFound)
		return true
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "an announcement is only read", http.StatusMethodNotAllowed)
		return true
	}
	urls := p.cfg.Announce(r.Host, "/"+path)
	if len(urls) == 0 {
		http.Error(w, "there is nothing to announce", http.StatusNotFound)
		return true
	}
	body := appendASX(nil, urls)
	h.Set("Content-Type", "video/x-ms-asf")
	h.Set("Cache-Control", "no-cache") // the addresses are those of today
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a player that is gone has no use for it
	}
	return true
}

// appendASX writes a Windows Media metafile with one entry: a player tries the REFs of an ENTRY in order until one plays.
func appendASX(b []byte, urls []string) []byte {
	b = append(b, "<ASX VERSION=\"3.0\">\r\n<ENTRY>\r\n"...)
	for _, u := range urls {
		var text strings.Builder
		_ = xml.EscapeText(&text, []byte(u)) // a Builder takes everything
		b = append(b, "<REF HREF=\""...)
		b = append(b, text.String()...)
		b = append(b, "\" />\r\n"...)
	}
	return append(b, "</ENTRY>\r\n</ASX>\r\n"...)
}
