package origin

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

const (
	rtcpSR        = 200
	rtcpSDES      = 202
	rtcpFeedback  = 205
	sdesCNAME     = 1
	formatNACK    = 1
	maxNacks      = 128 // packets looked for in one RTCP packet; [MS-RTSP] 3.2.5.10
	cnameWMS      = "@WMS:7ff42e07-3c7c-4eb5-9c17-6bdd11ad90de"
	ntpEpoch      = 2208988800 // seconds from 1900 to 1970
	senderReports = 5 * time.Second
)

// parseNack finds the generic NACKs and the CNAME of a compound RTCP packet. [MS-RTSP] 2.2.4.
func parseNack(b []byte) (cname string, sequences []uint16) {
	for len(b) >= 4 && b[0]>>6 == 2 {
		size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if size > len(b) {
			break
		}
		p := b[:size]
		b = b[size:]
		switch {
		case p[1] == rtcpSDES:
			if name := parseCNAME(p); name != "" {
				cname = name
			}
		case p[1] == rtcpFeedback && p[0]&0x0f == formatNACK: // the fifth bit is E, which servers ignore
			sequences = appendNack(sequences, p)
		}
	}
	return cname, sequences
}

// parseCNAME reads the first chunk of a source description. RFC 3550, section 6.5.
func parseCNAME(p []byte) string {
	for at := 8; at+2 <= len(p) && p[at] != 0; {
		end := at + 2 + int(p[at+1])
		if end > len(p) {
			return ""
		}
		if p[at] == sdesCNAME {
			return string(p[at+2 : end])
		}
		at = end
	}
	return ""
}

// appendNack reads pairs of a sequence number and a mask of the sixteen after it. RFC 4585, section 6.2.1.
func appendNack(sequences []uint16, p []byte) []uint16 {
	for at := 12; at+4 <= len(p) && len(sequences) < maxNacks; at += 4 {
		pid, mask := binary.BigEndian.Uint16(p[at:]), binary.BigEndian.Uint16(p[at+2:])
		sequences = append(sequences, pid)
		for bit := range uint16(16) {
			if mask&(1<<bit) != 0 {
				sequences = append(sequences, pid+bit+1)
			}
		}
	}
	return sequences[:min(len(sequences), maxNacks)]
}

// nackSSRC reads the ssrc of the rtx stream out of the CNAME.
func nackSSRC(cname string) (uint32, bool) {
	digits, ok := strings.CutSuffix(cname, cnameWMS)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseUint(digits, 10, 32)
	return uint32(v), err == nil
}

// senderReport is a compound packet of a sender report and a CNAME. RFC 3550, sections 6.4.1 and 6.5.
func senderReport(ssrc, timestamp, packets, octets uint32, now time.Time) []byte {
	be := binary.BigEndian
	b := []byte{0x80, rtcpSR, 0, 6}
	b = be.AppendUint32(b, ssrc)
	b = be.AppendUint32(b, uint32(now.Unix()+ntpEpoch))
	b = be.AppendUint32(b, uint32(uint64(now.Nanosecond())<<32/uint64(time.Second)))
	b = be.AppendUint32(b, timestamp)
	b = be.AppendUint32(b, packets)
	b = be.AppendUint32(b, octets)
	name := "origin"
	b = append(b, 0x81, rtcpSDES, 0, 4)
	b = be.AppendUint32(b, ssrc)
	b = append(append(b, sdesCNAME, byte(len(name))), name...)
	return append(b, make([]byte, 12-2-len(name))...)
}
