package origin

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.uber.org/zap"
	"mediagate/internal/asf"
)

// PacketID of [MS-WMSP] 2.2.3, and the first byte of every packet, without and with B.
const (
	frameChange = 'C'
	frameData   = 'D'
	frameEnd    = 'E'
	frameHeader = 'H'
	frameMeta   = 'M'
	framePair   = 'P'
	frameTest   = 'T'

	frameMark = 0x24
	frameMore = 0x80
)

const (
	maxFrame    = 65535 - 8 // bytes of an object that one MMS data packet takes. [MS-WMSP] 2.2.3.1.2
	pieceFirst  = 0x04      // AFFlags of an object's pieces
	pieceLast   = 0x08
	reasonOK    = 0
	reasonMore  = 1 // S_FALSE: other entries remain. [MS-WMSP] 2.2.3.4
	oldestWithB = 9 // Observed: VLC, FFmpeg, MPlayer and libmms, all older, take the two bytes for one number
	oldestWithM = 9 // [MS-WMSP] 3.2.5.4: $M is for clients from version 9 on only
)

// frame is a packet without an MMS data packet.
func frame(kind byte, reason uint32) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{frameMark, kind}, 4)
	return binary.LittleEndian.AppendUint32(b, reason)
}

// frameMMS appends a packet with an MMS data packet. [MS-WMSP] 2.2.3.1.
func frameMMS(b []byte, kind byte, location uint32, incarnation, flags uint8, payload []byte) []byte {
	size := uint16(8 + len(payload))
	b = append(b, frameMark, kind)
	b = binary.LittleEndian.AppendUint16(b, size)
	b = binary.LittleEndian.AppendUint32(b, location)
	b = append(b, incarnation, flags)
	b = binary.LittleEndian.AppendUint16(b, size)
	return append(b, payload...)
}

// frameObject is a header or metadata, in as many packets as it takes.
func frameObject(kind byte, incarnation uint8, object []byte) (b []byte) {
	flags := uint8(pieceFirst)
	for n := uint32(0); ; n++ {
		piece := object[:min(len(object), maxFrame)]
		if object = object[len(piece):]; len(object) == 0 {
			flags |= pieceLast
		}
		b = frameMMS(b, kind, n, incarnation, flags, piece)
		if flags = 0; len(object) == 0 {
			return b
		}
	}
}

// headers are the packets before the first $D: $C if an entry comes after another one, $M for those who know it, and $H.
// B is set if packets follow at once.
func (e *webSession) headers(incarnation uint8, change, followed bool) (b []byte) {
	features := e.features()
	e.mu.Lock()
	f, version, entry, name := e.file, e.client.major, e.entry, e.name
	e.mu.Unlock()
	if change {
		b = frame(frameChange, reasonOK)
	}
	if version >= oldestWithM {
		// [MS-WMSP] 2.2.3.6 and 2.2.4: one description, in no language.
		text := fmt.Sprintf("playlist-gen-id=%d, broadcast-id=0, features=%q\x008,language,31,0,,5,title,31,%d,%s\r\n",
			entry, features, len(name), name)
		b = append(b, frameObject(frameMeta, incarnation, []byte(text))...)
	}
	b = append(b, frameObject(frameHeader, incarnation, f.Header)...)
	if version < oldestWithB {
		return b
	}
	for at := 0; at < len(b); {
		next := at + 4 + int(binary.LittleEndian.Uint16(b[at+2:]))
		if followed || next < len(b) {
			b[at] |= frameMore
		}
		at = next
	}
	return b
}

// send sends header and packets to the end and says that it is the end; then the next entry of a playlist, unless the
// client has to choose its streams first. [MS-WMSP] 3.2.4.1 and 3.2.4.2.
func (e *webSession) send(k *clock, c *webConn, r run, header bool) {
	if header && c.media(e.headers(r.incarnation, false, true)) != nil {
		return
	}
	for e.sendPackets(k, c, &r) {
		more := e.endEntry()
		reason := uint32(reasonOK)
		if more {
			reason = reasonMore
		}
		if c.media(frame(frameEnd, reason)) != nil {
			return
		}
		if !more {
			e.ended(c)
			return
		}
		r = run{file: r.file, incarnation: r.incarnation, factor: r.factor}
		waits := e.waits(r) // the client may ask for the entry as soon as it has the header
		if c.media(e.headers(r.incarnation, true, !waits)) != nil || waits {
			return
		}
	}
}

// endEntry tells whether the entry that has ended was not the last, and goes on to the next: the same file again.
func (e *webSession) endEntry() (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	more = e.web.server.cfg.Playlist && e.entry == firstEntry
	if more {
		e.entry++
	}
	return more
}

// waits tells whether the client has to say what it wants of the next entry, which begins with r.
func (e *webSession) waits(r run) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.predictive || e.task == nil { // or is being stopped
		return false
	}
	e.run, e.state, e.heard = r, webWaiting, time.Now()
	return true
}

// ended ends the answer: in chunks the last one, else with the connection.
func (e *webSession) ended(c *webConn) {
	inChunks := c.inChunks()
	_ = c.finish() // the connection's owner sees the fault too
	e.mu.Lock()
	if e.conn == c && e.task != nil {
		e.state, e.conn, e.heard = webIdle, nil, time.Now()
	}
	e.mu.Unlock()
	if !inChunks {
		c.hangUp()
	}
}

// sendPackets sends packets at their send times, the first ones perhaps faster. It returns false if it was stopped or the
// connection broke.
func (e *webSession) sendPackets(k *clock, c *webConn, r *run) bool {
	var pace pace
	defer func() { e.note(*r) }()
	for ; r.index < len(r.file.Packets); r.index++ {
		p, err := asf.ParsePacket(r.file.Packets[r.index])
		if err != nil {
			e.web.server.log.Warn("packet left out", zap.Int("packet", r.index), zap.Error(err))
			continue
		}
		if r.until != 0 && uint64(p.SendTime) >= r.until {
			return true
		}
		if !k.wait(pace.due(e.web.server, r, p)) || e.sendPacket(c, r, p) != nil {
			return false
		}
	}
	return true
}

// note remembers where sending is, for who goes on with it.
func (e *webSession) note(r run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run = r
}

// sendPacket sends one packet of the file: as it is if the client wants all that is in it, else what it wants. [MS-WMSP]
// 3.2.5.6.
//
// Departs from [MS-WMSP] 2.2.3.3: padding is not taken off, so that what a player writes is the file again.
func (e *webSession) sendPacket(c *webConn, r *run, p *asf.Packet) error {
	e.mu.Lock()
	payload := p.Filter(e.selected.keep)
	sequence := uint8(e.sequence)
	if payload != nil {
		e.sequence++
	}
	e.mu.Unlock()
	if payload == nil {
		return nil
	}
	return c.media(frameMMS(make([]byte, 0, 12+len(payload)), frameData, uint32(r.index), r.incarnation, sequence, payload))
}
