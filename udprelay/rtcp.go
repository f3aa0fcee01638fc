package udprelay

import (
	"bytes"
	"encoding/binary"
)

// RTCP packet types and what lies where in them.
const (
	rtcpSR    = 200 // RFC 3550, section 6.4.1
	rtcpRR    = 201 // RFC 3550, section 6.4.2
	rtcpSDES  = 202 // RFC 3550, section 6.5
	rtcpBYE   = 203 // RFC 3550, section 6.6
	rtcpRTPFB = 205 // RFC 4585, section 6.1
	rtcpPSFB  = 206 // RFC 4585, section 6.1

	rtcpHeader  = 4  // V, P, count; type; length in words less one
	senderInfo  = 20 // RFC 3550, section 6.4.1: NTP and RTP time, packet and octet count
	reportBlock = 24
	fmtNACK     = 1  // RFC 4585, section 6.2.1
	fmtMask     = 15 // [MS-RTSP] 2.2.4: the top bit of FMT is the E field, which servers ignore
	sdesCNAME   = 1  // RFC 3550, section 6.5.1
)

// maxSSRCs bounds what is remembered of one compound packet: [MS-RTSP] 3.1.4.6 allows 32 NACKs in it, but they share
// their SSRCs; a report has 31 blocks at most, and one source per media in practice.
const maxSSRCs = 16

// rtcpInfo is what the relay reads of an RTCP packet. It lies on the reader's stack.
type rtcpInfo struct {
	ssrc  [maxSSRCs]uint32 // of senders, of the media that reports and feedback speak of, and in a WMS CNAME
	ssrcs int
	nacks uint64
	// The report block with the highest cumulative loss.
	reported     bool
	blocks       uint64 // report blocks
	empty        bool   // a receiver report without one: nothing has reached its sender yet (RFC 3550, section 6.4.2)
	lost         uint32
	fractionLost uint8
	// whole: the parts fill the datagram exactly. Reports of a packet that is not are not believed: an encrypted
	// one (SRTCP, RFC 3711, section 3.4) has only its first eight bytes in the clear.
	whole bool
}

func (i *rtcpInfo) add(ssrc uint32) {
	for _, s := range i.ssrc[:i.ssrcs] {
		if s == ssrc {
			return
		}
	}
	if i.ssrcs < maxSSRCs {
		i.ssrc[i.ssrcs] = ssrc
		i.ssrcs++
	}
}

// read walks the compound packet (RFC 3550, section 6.1). It takes what it can and stops at the first part that does
// not fit.
func (i *rtcpInfo) read(b []byte) {
	for len(b) > 0 {
		if !isRTCP(b) {
			return
		}
		size := rtcpSize(b)
		i.part(b[:size])
		b = b[size:]
	}
	i.whole = true
}

func (i *rtcpInfo) part(b []byte) {
	count, body := int(b[0]&0x1f), b[rtcpHeader:]
	switch b[1] {
	case rtcpSDES:
		i.chunks(count, body)
		return
	case rtcpBYE:
		for ; count > 0 && len(body) >= 4; count-- {
			i.add(binary.BigEndian.Uint32(body))
			body = body[4:]
		}
		return
	}
	if len(body) < 4 {
		return
	}
	i.add(binary.BigEndian.Uint32(body))
	body = body[4:]
	switch b[1] {
	case rtcpSR:
		if len(body) >= senderInfo {
			i.reports(count, body[senderInfo:])
		}
	case rtcpRR:
		i.empty = i.empty || count == 0
		i.reports(count, body)
	case rtcpRTPFB, rtcpPSFB:
		if len(body) < 4 {
			return
		}
		i.add(binary.BigEndian.Uint32(body)) // RFC 4585, section 6.1: SSRC of media source
		if b[1] == rtcpRTPFB && count&fmtMask == fmtNACK {
			i.nacks++
		}
	}
}

// reports reads report blocks. RFC 3550, section 6.4.1: SSRC, 8 bits fraction lost, 24 bits signed cumulative loss.
func (i *rtcpInfo) reports(count int, b []byte) {
	for ; count > 0 && len(b) >= reportBlock; count-- {
		i.blocks++
		i.add(binary.BigEndian.Uint32(b))
		word := binary.BigEndian.Uint32(b[4:])
		lost := word & 0xffffff
		if lost&0x800000 != 0 {
			lost = 0 // more received than expected: duplicates
		}
		if !i.reported || lost > i.lost {
			i.reported, i.lost, i.fractionLost = true, lost, uint8(word>>24)
		}
		b = b[reportBlock:]
	}
}

// chunks reads SDES chunks. RFC 3550, section 6.5: an SSRC, items (type, length, text), a null octet, padding to a
// word.
func (i *rtcpInfo) chunks(count int, b []byte) {
	for ; count > 0 && len(b) >= 4; count-- {
		i.add(binary.BigEndian.Uint32(b))
		at := 4
		for at < len(b) && b[at] != 0 {
			if at+2 > len(b) || at+2+int(b[at+1]) > len(b) {
				return
			}
			text := b[at+2 : at+2+int(b[at+1])]
			if b[at] == sdesCNAME {
				if ssrc, ok := wmsSSRC(text); ok {
					i.add(ssrc)
				}
			}
			at += 2 + len(text)
		}
		at = (at + 4) &^ 3 // the null octet and the padding
		if at >= len(b) {
			return
		}
		b = b[at:]
	}
}

// wmsSSRC reads the SSRC out of a CNAME of a Windows Media client.
//
// [MS-RTSP] 2.2.4: ssrc = 1*10DIGIT; sdes-value = ssrc "@WMS:7ff42e07-3c7c-4eb5-9c17-6bdd11ad90de". The GUID is not
// compared: a sender that gets it wrong is the origin's to judge.
func wmsSSRC(cname []byte) (uint32, bool) {
	at := bytes.IndexByte(cname, '@')
	if at < 1 || at > 10 || !bytes.HasPrefix(cname[at:], []byte("@WMS:")) {
		return 0, false
	}
	var n uint64
	for _, d := range cname[:at] {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	return uint32(n), n <= 1<<32-1
}

// isRTCP reports whether b begins with a whole RTCP packet.
//
// RFC 3550, A.2 asks for more, first of all for SR or RR in front; RFC 5506 allows reduced-size packets without, and
// RFC 5761, section 4 gives the types 192 to 223 to RTCP.
func isRTCP(b []byte) bool {
	return len(b) >= rtcpHeader && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 && rtcpSize(b) <= len(b)
}

func rtcpSize(b []byte) int { return 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1) }
