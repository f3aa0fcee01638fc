package sessionlog

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
)

// w3cFields are the fields of a line, in the order in which Windows Media Services writes them: log_data52 of [MS-WMLOG]
// 2.2.2, under the names that its log files have.
const w3cFields = "c-ip date time c-dns cs-uri-stem c-starttime x-duration c-rate c-status c-playerid c-playerversion " +
	"c-playerlanguage cs(User-Agent) cs(Referer) c-hostexe c-hostexever c-os c-osversion c-cpu filelength filesize " +
	"avgbandwidth protocol transport audiocodec videocodec channelURL sc-bytes c-bytes s-pkts-sent c-pkts-received " +
	"c-pkts-lost-client c-pkts-lost-net c-pkts-lost-cont-net c-resendreqs c-pkts-recovered-ECC c-pkts-recovered-resent " +
	"c-buffercount c-totalbuffertime c-quality s-ip s-dns s-totalclients s-cpu-util cs-user-name s-session-id " +
	"s-content-path cs-url cs-media-name c-max-bandwidth cs-media-role s-proxied"

// OpenW3C opens a log in the W3C extended format as Windows Media Services writes it ([MS-WMLOG] 2.2). It is as the one
// that Open opens, but that a record without a URL has no line (nothing was asked for), nor one of a session that goes
// on. A file begins with directives, and has them again where it was opened anew. software is for one of them.
func OpenW3C(path, software string, logger *zap.Logger) (*Writer, error) {
	return open(path, format{line: (*Record).appendW3C, head: func(now time.Time) []byte { return w3cHead(software, now) }}, logger)
}

// w3cHead are the directives of the Extended Log File Format that Windows Media Services has, and that analysers look for.
func w3cHead(software string, now time.Time) []byte {
	at := now.UTC().Format(time.DateTime)
	return fmt.Appendf(nil, "#Software: %s\n#Version: 1.0\n#StartDate: %s\n#Date: %s\n#TimeFormat: UTC\n#EncodingFormat: UTF-8\n#Fields: %s\n",
		w3cText(software), at, at, w3cFields)
}

// appendW3C appends the record's line.
func (r *Record) appendW3C(b []byte) ([]byte, error) {
	if r.Interim || r.URL == "" {
		return b, nil
	}
	player := r.ClientLog.tidy()
	known := player != nil
	if !known {
		player = &ClientLog{}
	}
	// A number that only the player can know is left out when it did not tell.
	told := func(n uint64) string {
		if !known {
			return "-"
		}
		return strconv.FormatUint(n, 10)
	}
	url := withoutUser(r.URL)
	end := r.Start.Add(time.Duration(r.Duration)).UTC() // [MS-WMLOG] 2.1.36: when the message is created, so that lines are in order
	values := []string{
		w3cAddr(r.Client), end.Format(time.DateOnly), end.Format(time.TimeOnly), "-", w3cStem(url),
		strconv.Itoa(int(player.StartMS / 1000)), w3cSeconds(r.played(player)), w3cRate(player, known), strconv.Itoa(r.w3cStatus()),
		w3cGUID(r.PlayerID), w3cText(cmp.Or(player.PlayerVersion, productVersion(r.UserAgent))), "-",
		w3cText(r.UserAgent), "-", w3cText(player.HostExe), "-", w3cText(player.OS), "-", w3cText(player.CPU),
		"-", "-", r.w3cBandwidth(), w3cText(r.Protocol), r.w3cTransport(), w3cText(player.AudioCodec), w3cText(player.VideoCodec),
		"-", strconv.FormatUint(r.ToClient.Bytes, 10), told(player.BytesReceived), strconv.FormatUint(r.ToClient.Packets, 10),
		told(uint64(player.PacketsReceived)), told(uint64(player.PacketsLost)), told(uint64(player.PacketsLostNet)),
		told(uint64(player.PacketsLostCont)), strconv.FormatUint(r.ResendRequests, 10), "-",
		told(uint64(player.PacketsRecovered)), told(uint64(player.BufferingCount)),
		told((uint64(player.BufferingMS) + 999) / 1000), w3cQuality(player, known),
		w3cAddr(r.Local), "-", "-", "-", "-", w3cText(r.ID), "-", w3cText(url), "-", "-", "-", "0",
	}
	b = append(b, strings.Join(values, " ")...)
	return append(b, '\n'), nil
}

// played is how much was played: what the player says, or how long there was media.
func (r *Record) played(player *ClientLog) time.Duration {
	switch {
	case player.PlayedMS > 0:
		return time.Duration(player.PlayedMS) * time.Millisecond
	case r.FirstMedia == nil:
		return 0
	}
	return time.Duration(r.Duration) - time.Duration(*r.FirstMedia)
}

// w3cStatus is c-status. A server's own lines have other codes than the 200 and 210 of a player's message ([MS-WMLOG]
// 2.1.25); these are HTTP's for what became of a session.
func (r *Record) w3cStatus() int {
	if r.ToClient.Packets > 0 || r.ToClient.Bytes > 0 {
		return 200
	}
	switch r.End.filled().Who {
	case WhoClient, WhoNobody, WhoKilled:
		return 200 // it was served what it asked for, short of media
	case WhoClientTimeout:
		return 408
	case WhoGateway:
		return 403
	case WhoOrigin:
		return 404
	case WhoOriginTimeout:
		return 504
	case WhoInternal:
		return 500
	}
	return 503
}

// w3cBandwidth is avgbandwidth, in bits per second.
func (r *Record) w3cBandwidth() string {
	if r.FirstMedia == nil || r.Duration <= Seconds(*r.FirstMedia) {
		return "-"
	}
	d := time.Duration(r.Duration - *r.FirstMedia)
	return strconv.FormatUint(uint64(float64(r.ToClient.Bytes)*8/d.Seconds()), 10)
}

func (r *Record) w3cTransport() string {
	switch r.Transport {
	case "":
		return "-"
	case TransportUDP:
		return "UDP"
	}
	return "TCP"
}

func w3cRate(player *ClientLog, known bool) string {
	if !known || player.Rate == 0 {
		return "1"
	}
	return strconv.Itoa(int(player.Rate))
}

// w3cQuality is c-quality, [MS-WMLOG] 2.1.21.
func w3cQuality(player *ClientLog, known bool) string {
	if !known {
		return "-"
	}
	got := uint64(player.PacketsReceived) + uint64(player.PacketsRecovered)
	if all := got + uint64(player.PacketsLost); all > 0 {
		return strconv.FormatUint(got*100/all, 10)
	}
	return "100"
}

func w3cAddr(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.Addr().Unmap().WithZone("").String()
}

// w3cSeconds rounds up ([MS-WMLOG] 2.1.52).
func w3cSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(0, d+time.Second-1)/time.Second), 10)
}

// w3cStem is the path of a URL without its query, as log files have it.
func w3cStem(url string) string {
	if i := strings.Index(url, "://"); i >= 0 {
		url = url[i+len("://"):]
		if i := strings.IndexByte(url, '/'); i >= 0 {
			url = url[i:]
		} else {
			url = "/"
		}
	}
	url, _, _ = strings.Cut(url, "?")
	return w3cText(url)
}

// productVersion is the version of a player that calls itself "Product/1.2.3 ...".
func productVersion(agent string) string {
	product, _, _ := strings.Cut(agent, " ")
	_, version, _ := strings.Cut(product, "/")
	return version[:len(version)-len(strings.TrimLeft(version, "0123456789."))]
}

// w3cGUID is c-playerid: a GUID in braces ([MS-WMLOG] 2.1.18), or nothing.
func w3cGUID(s string) string {
	s = strings.Trim(s, "{}")
	if len(s) != 36 || strings.Trim(s, "0123456789abcdefABCDEF-") != "" {
		return "-"
	}
	return "{" + s + "}"
}

// w3cText is a value in which nothing parts fields or lines: [MS-WMLOG] 2.2, a space is "_", nothing is "-".
func w3cText(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f || c == utf8.RuneError || 0x80 <= c && c < 0xa0 || c == '\u2028' || c == '\u2029' {
			return '_'
		}
		return c
	}, cut(s))
}
