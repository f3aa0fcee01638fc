package origin

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// transport is one alternative of a Transport field. RFC 2326, section 12.39.
type transport struct {
	tcp         bool
	clientPort  string // as the client wrote it: the reply must repeat it, FFmpeg reads it there
	rtp, rtcp   uint16 // UDP; rtcp is 0 if the client has a single port
	channels    [2]uint8
	hasChannels bool
	destination string
}

// chooseTransport is the first alternative of the field that we can serve.
func chooseTransport(values []string) (transport, bool) {
	for _, value := range values {
		for _, spec := range strings.Split(value, ",") {
			if t, ok := parseTransport(spec); ok {
				return t, true
			}
		}
	}
	return transport{}, false
}

func parseTransport(spec string) (transport, bool) {
	var t transport
	for i, part := range strings.Split(spec, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if i == 0 {
			switch strings.ToUpper(key) {
			case "RTP/AVP", "RTP/AVP/UDP":
			case "RTP/AVP/TCP":
				t.tcp = true
			default:
				return t, false
			}
			continue
		}
		switch strings.ToLower(key) {
		case "multicast":
			return t, false
		case "destination":
			t.destination = value
		case "client_port":
			lo, hi, ok := ports(value, 16)
			if !ok || lo == 0 {
				return t, false
			}
			t.clientPort, t.rtp, t.rtcp = value, uint16(lo), uint16(hi)
		case "interleaved":
			lo, hi, ok := ports(value, 8)
			if !ok {
				return t, false
			}
			t.channels, t.hasChannels = [2]uint8{uint8(lo), uint8(hi)}, true
		}
	}
	return t, t.tcp || t.rtp != 0
}

// ports reads "5000" or "5000-5001"; hi is 0 if there is one number.
func ports(value string, bits int) (lo, hi uint64, ok bool) {
	a, b, pair := strings.Cut(value, "-")
	lo, err := strconv.ParseUint(a, 10, bits)
	if err != nil {
		return 0, 0, false
	}
	if pair {
		if hi, err = strconv.ParseUint(b, 10, bits); err != nil || hi == lo {
			return 0, 0, false
		}
	}
	return lo, hi, true
}

// reply is the Transport field of the answer. [MS-RTSP] 4.4.2 shows the order.
func (t transport) reply(server uint16, ssrc uint32) string {
	if t.tcp {
		return fmt.Sprintf("RTP/AVP/TCP;unicast;interleaved=%d-%d;ssrc=%08x;mode=PLAY", t.channels[0], t.channels[1], ssrc)
	}
	return fmt.Sprintf("RTP/AVP/UDP;unicast;%s;client_port=%s;ssrc=%08x;mode=PLAY", t.serverPort(server), t.clientPort, ssrc)
}

// serverPort is a pair for a client with a pair, else the RTP port alone.
func (t transport) serverPort(server uint16) string {
	if t.rtcp == 0 {
		return fmt.Sprintf("server_port=%d", server)
	}
	return fmt.Sprintf("server_port=%d-%d", server, server+1)
}

// foreign tells whether the client wants its media sent to somebody else.
func (t transport) foreign(client netip.Addr) bool {
	if t.destination == "" {
		return false
	}
	a, err := netip.ParseAddr(t.destination)
	return err != nil || a.Unmap() != client
}
