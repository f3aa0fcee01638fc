package origin

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"mediagate/internal/asf"
)

const (
	maxAccelBW  = 3_500_000 // what Windows Media Services answer. [MS-WMSP] 2.2.2.6
	maxSpeed    = 5
	maxRate     = 5           // [MS-WMSP] 2.2.1.4.22
	pipelineFor = time.Second // Pipeline-Test timer. [MS-WMSP] 3.2.5.5
	maxPairHead = 504         // [MS-WMSP] 2.2.3.7
	pairLast    = 1048
)

func (e *webSession) hasFile() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.file != nil
}

func (e *webSession) entryNow() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.entry
}

// size is that of header and packets.
func (e *webSession) size() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.file.Header) + len(e.file.Packets)*e.file.PacketSize
}

// take is the file that the session is about from now on. Nothing is being sent, or this file is.
func (e *webSession) take(f *asf.File, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file != f {
		e.file, e.selected, e.entry = f, selection{}, firstEntry
	}
	e.name = name
}

// describe answers Describe. [MS-WMSP] 3.2.5.4.
func (v *visit) describe() bool {
	f := v.find()
	if f == nil {
		return v.page()
	}
	if v.session != nil && v.session.sendsAnother(f) { // a session is about one file at a time
		v.session = nil
	}
	if !v.enter() {
		return v.send(reply{status: http.StatusServiceUnavailable, hangUp: true})
	}
	v.session.take(f, v.req.URL.Path)
	a := reply{status: http.StatusOK, media: typeHeader}
	if v.req.ProtoAtLeast(1, 1) && v.pragma.on("pipeline-experiment") {
		a.tokens = append(a.tokens, "pipeline-experiment=1")
	}
	body := v.session.headers(0, false, false)
	if !v.pragma.on("packet-pair-experiment") {
		a.body = body
		return v.send(a)
	}
	a.tokens = append(a.tokens, "packet-pair-experiment=1")
	return v.sendPairs(a, body)
}

// sendPairs sends three $P packets before the body: the first in the segment of the head, the second in its own.
// [MS-WMSP] 2.2.3.7 and 3.2.5.4. As the first one has that much less noise and the third that much more, the sum, which
// the head has in it, does not depend on the size of the head; and PacketLength counts the noise alone.
func (v *visit) sendPairs(a reply, body []byte) bool {
	a.body = append(make([]byte, 3*8+2*maxPairHead+pairLast), body...)
	head, keep := v.head(a)
	reason := min(len(head), maxPairHead)
	pair := func(size, noises int) []byte {
		b := frame(framePair, uint32(reason))
		binary.LittleEndian.PutUint16(b[2:], uint16(size))
		return append(b, noise(noises)...)
	}
	v.tell(a)
	for _, b := range [][]byte{
		append(head, pair(maxPairHead, maxPairHead-reason)...),
		pair(maxPairHead, maxPairHead),
		append(pair(pairLast, pairLast+reason), body...),
	} {
		if v.conn.answer(b) != nil {
			return false
		}
	}
	return keep
}

// play answers Play. [MS-WMSP] 3.2.5.6.
//
// Departs from it: a session that is being sent may be played anew. A player that seeks closes one connection and opens
// another, and the end of the first one can come later.
func (v *visit) play() bool {
	f := v.find()
	if f == nil {
		return v.send(reply{status: http.StatusNotFound})
	}
	rate := v.pragma.factor("rate")
	if rate < 1 || rate > maxRate { // rewinding is promised nowhere: no "stridable"
		return v.send(reply{status: http.StatusBadRequest})
	}
	if !v.enter() {
		return v.send(reply{status: http.StatusServiceUnavailable, hangUp: true})
	}
	e := v.session
	e.turn.Lock()
	if v.conn.session != nil && v.conn.session != e {
		v.conn.session.halt(v.conn)
	}
	e.halt(v.conn)
	e.take(f, v.req.URL.Path)
	e.jump(v.pragma)
	e.selectStreams(v.pragma, true)
	r := run{file: f, incarnation: e.nextPlay(), factor: rate}
	r.seekWeb(v.pragma)
	a := reply{media: typeMedia, stream: true, chunked: v.req.ProtoAtLeast(1, 1) && v.pragma.on("version11-enabled")}
	a.tokens = v.accelerate(&r)
	return v.stream(a, r, true)
}

// stream begins an answer with media, and gives the session's turn back. Without chunks the request is the last one of
// its connection.
func (v *visit) stream(a reply, r run, header bool) bool {
	e, c := v.session, v.conn
	if c.tcp.SetReadDeadline(time.Time{}) != nil || !v.send(a) {
		e.turn.Unlock()
		return false
	}
	c.session = e
	e.begin(c, r, header)
	e.turn.Unlock()
	if a.chunked {
		return true
	}
	c.drain()
	c.leave()
	return false
}

// nextPlay is the Incarnation of the next packets; also, [MS-WMSP] 2.2.3.1.2, after 254 a new beginning has 0.
func (e *webSession) nextPlay() uint8 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if uint8(e.sequence) == 0xff {
		e.sequence++
	}
	e.plays++
	return uint8(e.plays - 1)
}

// jump goes to the entry of the playlist that the client wants, else to the first. [MS-WMSP] 2.2.1.4.19 and 2.2.1.4.20.
func (e *webSession) jump(p pragma) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.entry = firstEntry
	if n, ok := p.number("playlist-seek-id"); ok && e.web.server.cfg.Playlist {
		offset, _ := strconv.Atoi(p["pl-offset"])
		e.entry = min(max(int(min(n, 1<<20))+min(max(offset, -1), 1), firstEntry), firstEntry+1)
	}
}

// seekWeb finds the first packet, in the order of [MS-WMSP] 3.2.5.6, and the end. What is past the end is the end.
func (r *run) seekWeb(p pragma) {
	if ms, ok := p.number("stream-time"); ok && ms != 0 && ms != unset {
		r.index = keyBefore(r.file, ms)
	} else if n, ok := p.number("packet-num"); ok && n != unset {
		r.index = int(min(uint64(n), uint64(len(r.file.Packets))))
	} else if n, ok := p.offset(); ok {
		header := uint64(len(r.file.Header))
		r.index = int(min((max(n, header)-header)/uint64(r.file.PacketSize), uint64(len(r.file.Packets))))
	}
	const absolute = 1 << 31 // [MS-WMSP] 2.2.1.4.11
	switch n, _ := p.number("max-duration"); {
	case n == 0:
	case n&absolute != 0:
		r.until = uint64(n &^ absolute)
	default:
		r.until = uint64(n) + uint64(sendTime(r.file, r.index))
	}
}

// accelerate obeys AccelBW, AccelDuration and Speed, and gives the tokens that say how far. [MS-WMSP] 3.2.5.6.
func (v *visit) accelerate(r *run) (tokens []string) {
	bw, _ := v.pragma.number("accelbw")
	if ms, _ := v.pragma.number("accelduration"); bw > 0 && ms > 0 {
		r.bandwidth, r.accelerated = min(bw, maxAccelBW), min(ms, maxAccel)
		if v.agent.major == 8 {
			r.bandwidth = min(r.bandwidth, 1_048_576)
		}
		tokens = append(tokens, fmt.Sprintf("AccelBW=%d", r.bandwidth), fmt.Sprintf("AccelDuration=%d", r.accelerated))
	}
	if speed := min(v.pragma.factor("speed"), maxSpeed); speed >= 1 && v.pragma.has("speed") {
		r.factor *= speed
		tokens = append(tokens, fmt.Sprintf("Speed=%.3f", speed))
	}
	return tokens
}
