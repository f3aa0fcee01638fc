package origin

import (
	"net/netip"
	"time"

	"go.uber.org/zap"
	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

// endAfterUDP is how long the end of the stream waits for the last datagram, which it would overtake. Observed: VLC drops
// what comes after it.
const endAfterUDP = 500 * time.Millisecond

// play sends packets to the end and says that it is the end; then, over TCP, the next entry of a playlist. [MS-MMSP]
// 3.2.4.1 and 3.2.4.2.
func (c *mmsConn) play(k *clock, r run, to netip.AddrPort) {
	for c.sendPackets(k, &r, to) {
		if to.IsValid() && !k.wait(time.Now().Add(endAfterUDP)) {
			return
		}
		more := c.endEntry(to.IsValid())
		c.mu.Lock()
		end := &mmswire.ReportEndOfStream{HR: hrOK, PlayIncarnation: c.incarnation}
		c.mu.Unlock()
		if more {
			end.HR = hrNextEntry
		}
		if c.send(end) != nil || !more {
			return
		}
		f := r.file
		if c.send(&mmswire.ReportStreamChange{
			TCPHdrIncarnation: changeFlag, PacketSize: uint32(f.PacketSize), HeaderSize: uint32(len(f.Header)), BitRate: f.Bitrate,
		}) != nil {
			return
		}
		if to.IsValid() { // the client asks for header and packets itself
			return
		}
		r = run{file: f, incarnation: changeFlag}
		if !c.sendHeader(k, f, changeFlag, to) {
			return
		}
	}
}

// endEntry notes the end of an entry and tells whether there is another one: the same file again. The session is READY
// then, but for a playlist over TCP, which runs on.
func (c *mmsConn) endEntry(udp bool) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	more = c.server.cfg.Playlist && c.entry == firstEntry
	if more {
		c.entry++
	}
	if !more || udp {
		c.streaming, c.stopped = false, time.Now()
	}
	return more
}

// sendPackets sends packets at their send times, the first ones perhaps faster. It returns false if it was stopped or the
// connection broke.
func (c *mmsConn) sendPackets(k *clock, r *run, to netip.AddrPort) bool {
	var pace pace
	for ; r.index < len(r.file.Packets); r.index++ {
		p, err := asf.ParsePacket(r.file.Packets[r.index])
		if err != nil {
			c.server.log.Warn("packet left out", zap.Int("packet", r.index), zap.Error(err))
			continue
		}
		if r.until != 0 && uint64(p.SendTime) >= r.until {
			return true
		}
		if !k.wait(pace.due(c.server, r, p)) || c.sendPacket(r, p, to) != nil {
			return false
		}
	}
	return true
}

// sendPacket sends one packet of the file: as it is if the client wants all that is in it, else what it wants.
//
// Departs from [MS-MMSP] 2.2.2: padding is not taken off, so that what a player writes is the file again. Packets that
// DropEvery keeps back can still be asked for.
func (c *mmsConn) sendPacket(r *run, p *asf.Packet, to netip.AddrPort) error {
	c.mu.Lock()
	payload := p.Filter(c.selected.keep)
	if payload == nil {
		c.mu.Unlock()
		return nil
	}
	d := mmswire.Data{
		LocationID: uint32(r.index), PlayIncarnation: r.incarnation, AFFlags: uint8(c.sequence), Payload: payload,
	}
	if c.sent != nil {
		c.sent.add(c.sequence, d)
	}
	c.sequence++
	n := uint32(c.server.cfg.DropEvery)
	keep := n == 0 || !to.IsValid() || c.sequence%n != 0
	c.mu.Unlock()
	if !keep {
		return nil
	}
	return c.sendData(d, to)
}

// pace says when packets are due.
type pace struct {
	begin  time.Time
	offset uint32        // send time of the first packet
	bits   float64       // sent so far
	ahead  time.Duration // how far the accelerated beginning came before the packets' own times
}

// due is the time of the next packet. [MS-MMSP] 3.2.5.11: the first ones go at the bit rate that the client asked for, if
// that is faster.
func (a *pace) due(s *Server, r *run, p *asf.Packet) time.Time {
	if a.begin.IsZero() {
		a.begin, a.offset = time.Now(), p.SendTime
	}
	speed := s.cfg.Speed
	if r.factor > 0 {
		speed *= r.factor
	}
	media := p.SendTime - min(a.offset, p.SendTime)
	own := time.Duration(float64(media) / speed * float64(time.Millisecond))
	if r.bandwidth > 0 && media < r.accelerated {
		fast := time.Duration(a.bits / float64(r.bandwidth) / s.cfg.Speed * float64(time.Second))
		a.bits += float64(8 * len(r.file.Packets[r.index]))
		a.ahead = max(a.ahead, own-fast)
	}
	return a.begin.Add(own - a.ahead)
}
