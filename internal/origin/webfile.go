package origin

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// maxPage bounds an ordinary file.
const maxPage = 1 << 20

// pageTypes are the kinds of ordinary files of Dir that are served.
var pageTypes = map[string]string{
	".asx": "video/x-ms-asf", ".css": "text/css", ".gif": "image/gif", ".html": "text/html", ".jpg": "image/jpeg",
	".nsc": "video/x-ms-asf", ".png": "image/png", ".txt": "text/plain; charset=utf-8", ".wax": "audio/x-ms-wax", ".wvx": "video/x-ms-wvx",
}

// ordinary answers who is no client of Windows Media: with a file, or with where to find a player for it. [MS-WMSP]
// 3.2.5.1, and note 69 there: Windows Media Services answer with an ASX file of the same URL.
func (v *visit) ordinary() bool {
	switch v.req.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		return v.send(reply{status: http.StatusBadRequest})
	default:
		return v.send(reply{status: http.StatusNotImplemented, hangUp: true})
	}
	if v.find() == nil {
		return v.page()
	}
	host := v.req.Host
	if host == "" {
		host = v.conn.tcp.LocalAddr().String()
	}
	var ref strings.Builder
	if xml.EscapeText(&ref, []byte("http://"+host+v.req.URL.RequestURI())) != nil {
		return v.send(reply{status: http.StatusBadRequest})
	}
	// Observed: VLC goes over to mmsh:// if Pragma is this word alone, and would read the ASX file again and again.
	return v.send(reply{
		media: "video/x-ms-asf", tokens: []string{"features"},
		body: fmt.Appendf(nil, "<ASX version=\"3.0\">\r\n<Entry><Ref href=\"%s\"/></Entry>\r\n</ASX>\r\n", ref.String()),
	})
}

// page answers with an ordinary file, which players ask for too.
func (v *visit) page() bool {
	if v.req.Method != http.MethodGet && v.req.Method != http.MethodHead {
		return v.send(reply{status: http.StatusNotFound})
	}
	name := path.Clean("/" + v.req.URL.Path)
	media, known := pageTypes[strings.ToLower(path.Ext(name))]
	text, there := v.web.server.cfg.Pages[name]
	if there {
		if !known {
			media = "application/octet-stream"
		}
		return v.send(reply{media: media, body: []byte(text)})
	}
	if known && v.web.server.library.root != nil {
		if b, err := readAll(v.web.server.library.root, strings.TrimPrefix(name, "/"), maxPage); err == nil {
			return v.send(reply{media: media, body: b})
		}
	}
	return v.send(reply{status: http.StatusNotFound})
}
