package origin

import (
	"crypto/rand"
	"encoding/binary"
	"mime"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// contentType is the media type of the request's body, without its parameters.
func (x *exchange) contentType() string {
	t, _, err := mime.ParseMediaType(first(x.req.Header, "Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// getParameter answers GET_PARAMETER: GetContentInfo, TcpPacketPair and KeepAlive. [MS-RTSP] 2.2.7.4, 2.2.7.12, 2.2.7.5.
func (x *exchange) getParameter() answer {
	switch x.contentType() {
	case "application/x-wms-getcontentinfo":
		return status(base.StatusOK).with("Cache-Control", "no-cache")
	case "application/x-rtsp-packetpair":
		a := status(base.StatusOK).with("Content-Type", "application/x-rtsp-packetpair")
		a.Body = tcpPacketPair()
		return a
	case "":
		return status(base.StatusOK)
	default:
		return status(base.StatusParameterNotUnderstood)
	}
}

// tcpPacketPair is three packets of noise. [MS-WMSP] 2.2.3.7. Its Reason, the size of our response's head, is taken for
// 504, which it is at most: then the first packet has no payload and the third the most.
func tcpPacketPair() []byte {
	const reason = 504
	var b []byte
	for _, p := range []struct{ length, payload int }{{504, 0}, {504, 504}, {1048, 1048 + reason}} {
		b = append(b, '$', 'P')
		b = binary.LittleEndian.AppendUint16(b, uint16(p.length))
		b = binary.LittleEndian.AppendUint32(b, reason)
		b = append(b, noise(p.payload)...)
	}
	return b
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// setParameter answers SET_PARAMETER: UdpPacketPair, SelectStream, logs and events. [MS-RTSP] 2.2.7.14, 2.2.7.10.3,
// 2.2.7.6, 2.2.7.7, 2.2.7.11.
func (x *exchange) setParameter() answer {
	switch x.contentType() {
	case "application/x-rtsp-udp-packetpair":
		return x.udpPacketPair()
	case "application/x-wms-streamswitch":
		return x.switchStream()
	case "application/x-wms-extension-cmd": // Observed: GStreamer sends our own end of stream back
		return status(base.StatusOK)
	case "application/x-wms-logconnectstats", "application/x-wms-logplaystats", "application/x-wms-sendevent", "":
		return status(base.StatusOK)
	default:
		return status(base.StatusParameterNotUnderstood)
	}
}

// udpPacketPair sends three RTP packets back to back to the resend stream's port. [MS-RTSP] 3.2.5.7 and 2.2.3.2.
func (x *exchange) udpPacketPair() answer {
	e := x.session
	if e == nil {
		return status(base.StatusSessionNotFound)
	}
	body := string(x.req.Body)
	if !strings.HasPrefix(body, "type: high-entropy-packetpair") {
		return status(base.StatusBadRequest)
	}
	e.mu.Lock()
	rtx, ssrc := e.rtx, e.rtxSSRC
	e.mu.Unlock()
	if rtx == nil {
		return status(base.StatusMethodNotValidInThisState)
	}
	size := 1454
	if strings.Contains(body, "variable-size") {
		size = 1283 // 2 modulo 3, as the first of three must be
	}
	a := status(base.StatusOK).with("Content-Type", first(x.req.Header, "Content-Type"))
	a.after = func() error {
		for i := range 3 {
			x.server.send(pairPacket(i, size+i, ssrc), rtx.to)
		}
		return nil
	}
	return a
}

// pairPacket is one packet of noise. [MS-RTSP] 2.2.6.10.4: its SSRC is the resend stream's.
func pairPacket(i, size int, ssrc uint32) []byte {
	b := appendRTP(nil, true, payloadRTX, uint16(i), 0, ssrc)
	flags := byte(formatLength)
	if i == 0 {
		flags |= formatKey
	}
	b = append(b, flags, byte(size>>16), byte(size>>8), byte(size))
	return append(b, noise(size)...)
}

// switchStream reads "SSEntry: old new thin ..." and notes the thinning. The packets stay whole: what a client did not
// select it leaves out itself. [MS-RTSP] 2.2.7.10.
func (x *exchange) switchStream() answer {
	e := x.session
	if e == nil {
		return status(base.StatusSessionNotFound)
	}
	for line := range strings.Lines(string(x.req.Body)) {
		words := strings.Fields(line)
		if len(words) < 4 || words[0] != "SSEntry:" {
			return status(base.StatusBadRequest)
		}
		number, err := strconv.ParseUint(words[2], 10, 32)
		thin, err2 := strconv.ParseUint(words[3], 10, 2)
		if err != nil || err2 != nil || thin > 2 {
			return status(base.StatusBadRequest)
		}
		e.mu.Lock()
		for _, m := range e.streams {
			if uint64(m.number) == number {
				m.thin = int(thin)
			}
		}
		e.mu.Unlock()
	}
	return status(base.StatusOK)
}
