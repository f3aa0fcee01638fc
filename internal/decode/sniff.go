package decode

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
)

// protocol is what a connection speaks.
type protocol uint8

const (
	speaksUnknown protocol = iota // not enough was heard
	speaksOther
	speaksRTSP
	speaksMMS
	speaksHTTP
)

// first lines of messages: a request or an answer of RTSP or HTTP.
var (
	requestLine = regexp.MustCompile(`^([A-Z_]{3,32}) ([^\x00-\x20]+) (RTSP|HTTP)/\d\.\d\r?\n`)
	statusLine  = regexp.MustCompile(`^(RTSP|HTTP)/\d\.\d \d{3}[ \r\n]`)
	// laterLine finds one in the middle of a stream.
	laterLine = regexp.MustCompile(`(?:RTSP|HTTP)/\d\.\d \d{3} [A-Z]|\b[A-Z_]{3,16} [^\x00-\x20]+ (?:RTSP|HTTP)/\d\.\d\r?\n`)
)

// mmsSession is the session id of every MMS packet and mmsSeal its seal, at these places ([MS-MMSP] 2.2.3).
const (
	mmsSession, mmsSessionAt = 0xb00bface, 4
	mmsSeal, mmsSealAt       = 0x20534d4d, 12
	mmsMIDAt                 = 36
)

// isMMS reports whether a packet with a TcpMessageHeader begins here.
func isMMS(b []byte) bool {
	le := binary.LittleEndian
	return len(b) >= 16 && le.Uint32(b[mmsSessionAt:]) == mmsSession && le.Uint32(b[mmsSealAt:]) == mmsSeal
}

// recognize tells by the beginning of a stream what it speaks; isClient is whether a client says so.
func recognize(b []byte) (p protocol, isClient bool) {
	if isMMS(b) {
		if len(b) < mmsMIDAt+4 {
			return speaksUnknown, false
		}
		return speaksMMS, binary.LittleEndian.Uint32(b[mmsMIDAt:])>>16 == 3
	}
	if m := requestLine.FindSubmatch(b); m != nil {
		return named(m[3]), true
	}
	if m := statusLine.FindSubmatch(b); m != nil {
		return named(m[1]), false
	}
	if len(b) >= 64 && !bytes.ContainsAny(b[:16], " ") || len(b) >= 8<<10 {
		return speaksOther, false
	}
	return speaksUnknown, false
}

func named(name []byte) protocol {
	if string(name) == "RTSP" {
		return speaksRTSP
	}
	return speaksHTTP
}

// recognizeLater looks for the first message in a stream whose beginning is missing; at is where it begins.
func recognizeLater(b []byte) (p protocol, isClient bool, at int) {
	if i := bytes.Index(b, []byte{0xce, 0xfa, 0x0b, 0xb0}); i >= mmsSessionAt && isMMS(b[i-mmsSessionAt:]) {
		p, isClient = recognize(b[i-mmsSessionAt:])
		return p, isClient, i - mmsSessionAt
	}
	if m := laterLine.FindIndex(b); m != nil {
		p, isClient = recognize(b[m[0]:])
		return p, isClient, m[0]
	}
	return speaksUnknown, false, 0
}

// sniff decides what a connection speaks, if what it said so far tells.
func (d *decoder) sniff(c *conn) {
	others := 0
	for from := range c.streams {
		var b []byte
		begins := c.syn
		for i, h := range c.held {
			if h.from != from {
				continue
			}
			if h.gap > 0 {
				begins, b = false, nil
				continue
			}
			if b = append(b, h.data...); i == len(c.held)-1 && len(b) == 0 {
				return
			}
		}
		p, isClient := recognize(b)
		if p == speaksOther || p == speaksUnknown && !begins {
			if !begins {
				p, isClient, _ = recognizeLater(b)
			} else if others++; others == 1 && from == 0 {
				d.unreadable(c, b)
				c.ignored = true // the one who connected speaks first in all protocols
				return
			}
		}
		if p == speaksUnknown || p == speaksOther {
			continue
		}
		c.client = from
		if !isClient {
			c.client = 1 - from
		}
		d.begin(c, p)
		return
	}
}

// begin makes the conversation of a connection.
func (d *decoder) begin(c *conn, p protocol) {
	if len(d.rep.Conversations) >= d.lim.Conversations {
		d.left.conversations++
		c.ignored = true
		return
	}
	first := c.held[0].at
	conv := &Conversation{
		Client: c.ends[c.client], Server: c.ends[1-c.client], Interface: c.iface, Start: first, begun: c.syn && !slices.ContainsFunc(c.held, func(h chunk) bool { return h.gap > 0 }),
		Events: []Event{}, Media: []*Media{},
	}
	switch p {
	case speaksRTSP:
		conv.Protocol = "rtsp"
		c.talk = newRTSP(d, conv)
	case speaksMMS:
		conv.Protocol = "mms"
		c.talk = newMMS(d, conv)
	case speaksHTTP:
		conv.Protocol = "wmsp"
		c.talk = newHTTP(d, conv)
	}
	conv.talk = c.talk
	if p != speaksHTTP { // HTTP must say something of ours first
		d.report(conv)
	}
}
