package player

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	// maxNacks is the greatest number of NACK messages in one packet. [MS-RTSP] 3.1.4.6.
	maxNacks    = 32
	reportEvery = 5 * time.Second // RFC 3550, section 6.2
	cnameWMS    = "@WMS:7ff42e07-3c7c-4eb5-9c17-6bdd11ad90de"
)

// nack is a compound packet of an empty receiver report, a CNAME and a generic NACK with E set. [MS-RTSP] 2.2.4.
func nack(ours, media, rtx uint32, sequences []uint16) []byte {
	be := binary.BigEndian
	b := be.AppendUint32([]byte{0x80, 201, 0, 1}, ours)
	b = append(b, description202(ours, fmt.Sprintf("%d%s", rtx, cnameWMS))...)
	pairs := nackPairs(sequences)
	b = append(b, 0x80|0x10|1, 205)
	b = be.AppendUint16(b, uint16(2+len(pairs)))
	b = be.AppendUint32(b, ours)
	b = be.AppendUint32(b, media)
	for _, p := range pairs {
		b = be.AppendUint32(b, p)
	}
	return b
}

// nackPairs are sequence numbers and masks of the sixteen after each. RFC 4585, section 6.2.1.
func nackPairs(sequences []uint16) (pairs []uint32) {
	slices.SortFunc(sequences, func(a, b uint16) int { return int(int16(a - b)) })
	for _, seq := range sequences {
		if n := len(pairs); n > 0 {
			if step := seq - uint16(pairs[n-1]>>16); step >= 1 && step <= 16 {
				pairs[n-1] |= 1 << (step - 1)
				continue
			}
		}
		if len(pairs) == maxNacks {
			break
		}
		pairs = append(pairs, uint32(seq)<<16)
	}
	return pairs
}

// description202 is a source description with a CNAME. RFC 3550, section 6.5.
func description202(ssrc uint32, name string) []byte {
	item := append([]byte{1, byte(len(name))}, name...)
	item = append(item, make([]byte, 4-len(item)%4)...) // at least one null ends the list
	b := []byte{0x81, 202}
	b = binary.BigEndian.AppendUint16(b, uint16(1+len(item)/4))
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return append(b, item...)
}

// sendNacks asks for what is missing, from the odd port of the media pair. [MS-RTSP] 3.1.4.6.
func (r *run) sendNacks(now time.Time) {
	if r.rtx == nil || r.media == nil || !r.rtcpTo.IsValid() {
		return
	}
	for _, f := range r.flows {
		if sequences := f.wanted(now); len(sequences) > 0 {
			b := nack(ourSSRC, f.ssrc, r.rtxSSRC, sequences)
			_, _ = r.media.rtcp.WriteToUDPAddrPort(b, r.rtcpTo) // it is asked again
		}
	}
}

// ourSSRC is what we call ourselves; nobody else sends to the origin's port with our address.
const ourSSRC = 0x6d676174

// sendReports tells an ordinary origin what came. RFC 3550, section 6.4.2.
func (r *run) sendReports() {
	for _, f := range r.flows {
		for _, p := range r.pairs {
			if to, ok := p.origin(r); ok && f.pair == p {
				_, _ = p.rtcp.WriteToUDPAddrPort(f.report(), to) // the next one comes soon
			}
		}
	}
}

// origin is where RTCP of the pair goes.
func (p *pair) origin(r *run) (netip.AddrPort, bool) {
	return netip.AddrPortFrom(r.origin, p.serverRTCP), p.serverRTCP != 0
}

// report is a receiver report with one block. RFC 3550, sections 6.4.1 and A.3.
func (f *flow) report() []byte {
	be := binary.BigEndian
	expected := uint64(f.highest-f.base) + 1
	lost := min(expected-min(f.packets, expected), 1<<23-1)
	e, g := expected-f.reported[0], f.packets-f.reported[1]
	f.reported = [2]uint64{expected, f.packets}
	fraction := uint64(0)
	if e > g {
		fraction = min((e-g)*256/e, 255)
	}
	b := be.AppendUint32([]byte{0x81, 201, 0, 7}, ourSSRC)
	b = be.AppendUint32(b, f.ssrc)
	b = be.AppendUint32(b, uint32(fraction<<24|lost))
	b = be.AppendUint32(b, f.highest-1<<16)
	b = be.AppendUint32(b, uint32(f.jitter))
	b = append(b, make([]byte, 8)...) // no sender report is answered to
	return append(b, description202(ourSSRC, "player")...)
}
