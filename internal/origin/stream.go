package origin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"go.uber.org/zap"
	"mediagate/internal/asf"
)

// lastEnd tells the answer to the end of a presentation from other answers.
const lastEnd = "end of stream"

// stream sends from the session's position to the end, and says that it is the end.
func (e *session) stream(stop <-chan struct{}) {
	for {
		if !e.sendAll(stop) {
			return
		}
		more := e.server.cfg.Playlist && e.generation() == firstEntry
		if err := e.sendEnd(more); err != nil || !more {
			break
		}
		if err := e.announce(); err != nil {
			break
		}
	}
	e.mu.Lock()
	e.playing, e.cancel, e.position = false, nil, 0
	e.seen = time.Now()
	e.mu.Unlock()
}

// sendAll sends each packet at its send time, and a sender report now and then. It returns false if it was stopped.
func (e *session) sendAll(stop <-chan struct{}) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var begin, reported time.Time
	var offset uint32
	for {
		index, raw := e.nextPacket()
		if raw == nil {
			return true
		}
		p, err := asf.ParsePacket(raw)
		if err != nil {
			e.server.log.Warn("packet left out", zap.String("presentation", e.name), zap.Int("packet", index), zap.Error(err))
			continue
		}
		now := time.Now()
		if begin.IsZero() {
			begin, offset = now, p.SendTime
		}
		due := begin.Add(time.Duration(float64(p.SendTime-min(offset, p.SendTime)) / e.server.cfg.Speed * float64(time.Millisecond)))
		timer.Reset(due.Sub(now))
		select {
		case <-stop:
			e.back(index)
			return false
		case <-timer.C:
		}
		if err := e.sendPacket(p, index); err != nil {
			return false
		}
		if due.Sub(reported) >= senderReports {
			reported = due
			e.report(due)
		}
	}
}

// nextPacket takes the next packet; nil is the end.
func (e *session) nextPacket() (int, []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.position >= len(e.file.Packets) {
		return 0, nil
	}
	e.position++
	return e.position - 1, e.file.Packets[e.position-1]
}

// back puts a packet back that was not sent.
func (e *session) back(index int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.position = index
}

// sendPacket sends an ASF packet, to the first stream's port or channel: all streams of a presentation are one RTP flow.
// Packets that DropEvery keeps back can still be asked for.
func (e *session) sendPacket(p *asf.Packet, index int) error {
	e.mu.Lock()
	if len(e.streams) == 0 || e.conn == nil {
		e.mu.Unlock()
		return nil
	}
	c, m := e.conn, *e.streams[0]
	var send [][]byte
	for _, packet := range e.flow.packets(p, index) {
		e.queue.add(packet)
		e.sent.packets++
		e.sent.octets += uint32(len(packet) - rtpHeader)
		e.sent.timestamp = p.SendTime
		if n := uint32(e.server.cfg.DropEvery); n == 0 || m.t.tcp || e.sent.packets%n != 0 {
			send = append(send, packet)
		}
	}
	e.mu.Unlock()
	for _, packet := range send {
		if !m.t.tcp {
			e.server.send(packet, m.to)
		} else if err := c.frame(m.t.channels[0], packet); err != nil {
			return err
		}
	}
	return nil
}

// report sends a sender report to a client that has a port for it.
func (e *session) report(now time.Time) {
	e.mu.Lock()
	if len(e.streams) == 0 || e.conn == nil {
		e.mu.Unlock()
		return
	}
	c, m := e.conn, *e.streams[0]
	b := senderReport(e.flow.ssrc, e.sent.timestamp, e.sent.packets, e.sent.octets, now)
	e.mu.Unlock()
	switch {
	case m.t.tcp:
		_ = c.frame(m.t.channels[1], b) // the next packet of media will meet the same fault
	case m.toRTCP.IsValid():
		e.server.sendRTCP(b, m.toRTCP)
	}
}

// sendEnd tells the client that there is no more. [MS-RTSP] 2.2.7.3 and 3.2.4.1.
func (e *session) sendEnd(more bool) error {
	e.mu.Lock()
	c := e.conn
	var info []string
	for _, m := range e.streams {
		info = append(info, fmt.Sprintf("url=%s/%s;seq=%d", e.base, m.control, e.flow.seq))
	}
	entry := e.entry
	e.mu.Unlock()
	if c == nil {
		return nil
	}
	body, what := "Session: "+e.id+"\r\nEOF: true\r\n", lastEnd
	if more {
		body, what = body+"End-Of-Playlist-Entry: true\r\n", "end of entry"
	}
	return c.ask(base.SetParameter, e.base, what, base.Header{
		"Session":           {e.id},
		"Content-Type":      {"application/x-wms-extension-cmd"},
		"X-Notice":          {`2101 "End-of-Stream Reached"`},
		"RTP-Info":          {strings.Join(info, ", ")},
		"X-Playlist-Gen-Id": {strconv.Itoa(entry)},
	}, []byte(body))
}

// announce goes on to the second entry, the same file with other SSRCs and sequence numbers. [MS-RTSP] 3.2.4.2.
func (e *session) announce() error {
	e.mu.Lock()
	c := e.conn
	e.entry++
	e.position = 0
	e.flow.ssrc, e.flow.seq, e.rtxSSRC = random32(), uint16(random32()), random32()
	entry, predict := e.entry, e.predict
	e.mu.Unlock()
	if c == nil {
		return nil
	}
	h := base.Header{
		"Session":           {e.id},
		"Content-Type":      {"application/sdp"},
		"X-Playlist-Gen-Id": {strconv.Itoa(entry)},
		"Vary":              {"Accept"},
	}
	if predict {
		h["X-RTP-Info"] = base.HeaderValue{e.playlistInfo(0)}
	}
	return c.ask(base.Announce, e.base, "announce", h, describeSDP(e.file, e.base+"/", c.local, true))
}
