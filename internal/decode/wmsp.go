package decode

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

const (
	wmspMark, wmspMask = 0x24, 0x7f // Frame, without B ([MS-WMSP] 2.2.3.1.1)
	wmspPairUnit       = 504        // of $P packets ([MS-WMSP] 2.2.3.7)
	wmspLastPart       = 8          // of AFFlags: the last packet of a header ([MS-WMSP] 2.2.3.1.2)
)

// wmspReader divides a body into packets of [MS-WMSP] 2.2.3.
type wmspReader struct {
	b     []byte
	pairs int
	skip  int64 // bytes of a $P packet that are still to come
	lost  bool  // where the next packet begins is not known
	hunt  hunt
}

func (r *wmspReader) partial() bool { return len(r.b) > 0 || r.skip > 0 }

// least is how many bytes a packet of a kind has at least, without its framing header.
var wmspLeast = map[byte]int{'C': 4, 'E': 4, 'P': 4, 'D': 8, 'H': 8, 'M': 8, 'T': 0}

// wmspHead reports whether a packet can begin here, and how long it says that it is.
func wmspHead(b []byte) (n int, ok bool) {
	if len(b) < 4 || b[0]&wmspMask != wmspMark {
		return 0, false
	}
	least, known := wmspLeast[b[1]]
	n = int(binary.LittleEndian.Uint16(b[2:]))
	return n + 4, known && n >= least
}

// each calls f with every whole packet, framing header included; it returns the sentence of a fault, "" for none.
func (r *wmspReader) each(b []byte, f func(p []byte)) string {
	if r.lost {
		if b = r.hunt.add(b, maxTail, framedWMSP); b == nil {
			return ""
		}
		r.lost = false
	}
	r.b = append(r.b, b...)
	for {
		k := min(r.skip, int64(len(r.b)))
		r.skip, r.b = r.skip-k, r.b[k:]
		if r.skip > 0 || len(r.b) < 4 {
			return ""
		}
		n, ok := wmspHead(r.b)
		switch {
		case !ok:
			fault := fmt.Sprintf("not framed as Windows Media over HTTP is: %x", r.b[:4])
			*r = wmspReader{lost: true, pairs: r.pairs}
			return fault
		case r.b[1] == 'P' && len(r.b) >= 8:
			f(r.b[:8])
			r.pair(n - 4)
			r.b = r.b[8:]
		case r.b[1] == 'P' || len(r.b) < n:
			return ""
		default:
			f(r.b[:n])
			r.b = r.b[n:]
		}
	}
}

// pair notes how many random bytes follow a $P packet, of which PacketLength does not count Reason.
func (r *wmspReader) pair(length int) {
	shift := int64(min(binary.LittleEndian.Uint32(r.b[4:]), wmspPairUnit))
	r.pairs++
	r.skip = int64(length)
	switch {
	case length != wmspPairUnit:
		r.skip += shift
	case r.pairs == 1:
		r.skip -= shift
	}
}

// framedWMSP reports whether a packet begins here that another follows.
func framedWMSP(b []byte) bool {
	n, ok := wmspHead(b)
	if !ok || b[1] == 'P' || n+4 > len(b) {
		return false
	}
	_, ok = wmspHead(b[n:])
	return ok
}

// play makes the media that a Play request asks for.
func (t *httpTalk) play() {
	c := t.conv
	t.media = &Media{Transport: "http", URL: c.URL, Client: c.Client.Addr(), Server: c.Server.Addr(), Flows: []*Flow{}}
	t.flow, t.headed = nil, false
	t.d.addMedia(c, t.media)
}

// framed takes a piece of a body of Windows Media.
func (t *httpTalk) framed(b []byte, at time.Time) {
	fault := t.frames.each(b, func(p []byte) { t.frame(p, at) })
	if fault != "" {
		t.d.message(t.conv, server, "note", fault, nil, at)
	}
}

func (t *httpTalk) frame(p []byte, at time.Time) {
	le := binary.LittleEndian
	switch kind := p[1]; kind {
	case 'D':
		t.dataPacket(p, at)
	case 'H':
		last := "part of the header"
		if p[9]&wmspLastPart != 0 {
			last = "the header, or its last part"
		}
		if t.flow != nil {
			for _, s := range t.flow.Sources {
				s.meter.fresh = true // what follows may begin elsewhere
			}
		}
		t.tellFrame("$H", Field{"= header", last + ", " + size(uint64(len(p)-12))}, at)
	case 'M':
		t.tellFrame("$M", Field{"metadata", clean(strings.TrimSpace(string(p[12:])), maxValue)}, at)
	case 'E':
		hr := le.Uint32(p[4:])
		t.tellFrame("$E", Field{"reason", endText(hr)}, at)
		if t.media != nil && t.media.Stopped == nil {
			t.media.Stopped = &at
		}
		if failed(hr) {
			t.d.failedResult(t.conv, "$E", hr)
		}
	case 'C':
		t.tellFrame("$C", Field{"reason", resultText(le.Uint32(p[4:])) + ": the stream changes, a new header follows"}, at)
	case 'P':
		t.tellFrame("$P", Field{"= packet pair", "measures the bandwidth"}, at)
	case 'T':
		t.tellFrame("$T", Field{"= test", "whether pipelining works"}, at)
	}
}

// endText says what the reason of a $E packet is ([MS-WMSP] 2.2.3.4).
func endText(hr uint32) string {
	switch hr {
	case 0:
		return "0: the end of the content"
	case 1:
		return "1: more content follows"
	}
	return resultText(hr)
}

func (t *httpTalk) tellFrame(line string, f Field, at time.Time) {
	t.d.message(t.conv, server, "message", line, []Field{f}, at)
}

// dataPacket counts a $D packet: after the framing header it is a Data packet of MMS.
func (t *httpTalk) dataPacket(p []byte, at time.Time) {
	if t.media == nil {
		t.play()
	}
	if t.flow == nil {
		t.flow = &Flow{From: t.conv.Server, To: t.conv.Client, Interface: t.conv.Interface, Kind: "mms", ID: t.d.id(), media: t.media}
		t.media.Flows = append(t.media.Flows, t.flow)
	}
	t.flow.count(len(p), at)
	t.flow.numbered(fmt.Sprintf("%02x", p[8]), binary.LittleEndian.Uint32(p[4:]), len(p))
	t.d.media(t.conv, server, len(p), t.flow.lost(), at)
}
