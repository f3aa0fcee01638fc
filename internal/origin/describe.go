package origin

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"mediagate/internal/asf"
)

// describe answers DESCRIBE. [MS-RTSP] 3.2.5.4.
func (x *exchange) describe() answer {
	path, ok := x.path()
	if !ok {
		return status(base.StatusBadRequest)
	}
	file, _, control, err := x.server.library.find(path)
	if err != nil || control != "" {
		return status(base.StatusNotFound)
	}
	if v := first(x.req.Header, "Accept"); v != "" && !strings.Contains(v, "application/sdp") && !strings.Contains(v, "*/*") {
		return status(base.StatusNotAcceptable)
	}
	root := strings.TrimSuffix(x.url, "/") + "/"
	a := status(base.StatusOK).with("Content-Type", "application/sdp").with("Content-Base", root).
		with("Cache-Control", "no-cache").with("X-Playlist-Gen-Id", strconv.Itoa(firstEntry)).with("Vary", "Accept")
	a.Body = describeSDP(file, root, x.local, x.server.cfg.Playlist)
	return a
}

// describeSDP is the description of a presentation. [MS-RTSP] 2.2.5.
func describeSDP(f *asf.File, root string, local netip.Addr, playlist bool) []byte {
	var b strings.Builder
	family := "IP4"
	if local.Is6() {
		family = "IP6"
	}
	kind := "notstridable"
	if playlist {
		kind = "notseekable,notstridable,playlist"
	}
	fmt.Fprintf(&b, "v=0\r\no=- 1 1 IN %s %s\r\ns=<No Title>\r\nc=IN %s %s\r\nb=AS:%d\r\nt=0 0\r\n",
		family, local.WithZone(""), family, unspecified(local), (f.Bitrate+999)/1000)
	fmt.Fprintf(&b, "a=maxps:%d\r\na=control:%s\r\n", f.PacketSize, root)
	if !playlist {
		fmt.Fprintf(&b, "a=range:npt=0.000-%d.%03d\r\n", f.Duration/1000, f.Duration%1000)
	}
	fmt.Fprintf(&b, "a=etag:{00000000-0000-0000-0000-%012X}\r\na=type:%s\r\n", f.PacketCount, kind)
	fmt.Fprintf(&b, "a=pgmpu:data:application/vnd.ms.wms-hdr.asfv1;base64,%s\r\n",
		base64.StdEncoding.EncodeToString(f.Header))
	for i, name := range controlNames(f) {
		s := f.Streams[i]
		fmt.Fprintf(&b, "m=%s 0 RTP/AVP %d\r\nb=AS:%d\r\nb=RS:0\r\nb=RR:0\r\na=rtpmap:%d x-asf-pf/1000\r\n"+
			"a=control:%s\r\na=stream:%d\r\n", s.Kind, payloadASF, (f.Bitrate+999)/1000, payloadASF, name, s.Number)
	}
	// [MS-RTSP] 2.2.5.2.5 and 2.2.5.5: the resend stream is a media of its own.
	fmt.Fprintf(&b, "m=application 0 RTP/AVP %d\r\nb=RS:0\r\nb=RR:0\r\na=rtpmap:%d x-wms-rtx/1000\r\n"+
		"a=control:%s\r\na=stream:65536\r\n", payloadRTX, payloadRTX, rtxControl)
	return []byte(b.String())
}

// unspecified is what Windows Media Services write into c=: the client's address is known to it.
func unspecified(local netip.Addr) netip.Addr {
	if local.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}
