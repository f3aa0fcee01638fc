package origin

import (
	"net/netip"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

const (
	headerPiece = 0x04 // AFFlags of [MS-MMSP] 2.2.2
	headerLast  = 0x0c
	pairFlags   = 0x10
	pairFirst   = 0xf0f0f000 // LocationId
	pairNoise   = 1464       // [MS-MMSP] 3.2.5.8
	changeFlag  = 0xff       // dwTcpHdrIncarnation of [MS-MMSP] 2.2.4.12
	// headStart is what ReportReadBlock has before the header's first datagram, which is not sent after it but beside it.
	// Observed: VLC gives up if the datagram is there first, and behind a gateway, which reads messages but only forwards
	// datagrams, it was in 1 of 20 plays.
	headStart = 20 * time.Millisecond
)

// readBlock answers ReadBlock, and has the header sent. [MS-MMSP] 3.2.5.8.
func (c *mmsConn) readBlock(m *mmswire.ReadBlock) error {
	c.halt()
	c.mu.Lock()
	file, to := c.file, c.to
	c.mu.Unlock()
	a := &mmswire.ReportReadBlock{PlayIncarnation: m.PlayIncarnation}
	if file == nil || m.OpenFileID != openFileID {
		a.HR = hrInvalid
		return c.send(a)
	}
	if c.pairs && to.IsValid() {
		c.pairs = false
		for i := range uint32(2) {
			d := mmswire.Data{LocationID: pairFirst + i, PlayIncarnation: 0xff, AFFlags: pairFlags, Payload: noise(pairNoise)}
			if err := c.sendData(d, to); err != nil {
				return err
			}
		}
	}
	if err := c.send(a); err != nil {
		return err
	}
	c.start(func(stop <-chan struct{}) {
		c.sendHeader(newClock(stop), file, uint8(m.PlayIncarnation), to)
	})
	return nil
}

// sendHeader sends the file's header in pieces no larger than a packet, no faster than the file's bit rate. [MS-MMSP]
// 3.2.5.8.1. It returns false if it was stopped or the connection broke.
func (c *mmsConn) sendHeader(k *clock, f *asf.File, incarnation uint8, to netip.AddrPort) bool {
	due := time.Now()
	if to.IsValid() {
		due = due.Add(headStart)
	}
	rest := f.Header
	for n := uint32(0); len(rest) > 0; n++ {
		d := mmswire.Data{LocationID: n, PlayIncarnation: incarnation, AFFlags: headerPiece, Payload: rest[:min(f.PacketSize, len(rest))]}
		if rest = rest[len(d.Payload):]; len(rest) == 0 {
			d.AFFlags = headerLast
		}
		if !k.wait(due) || c.sendData(d, to) != nil {
			return false
		}
		due = due.Add(c.server.paced(len(d.Payload), f.Bitrate))
	}
	return true
}

// paced is how long so many bytes take at that bit rate.
func (s *Server) paced(size int, bitrate uint32) time.Duration {
	seconds := float64(size) * 8 / float64(max(bitrate, 8000))
	return time.Duration(seconds / s.cfg.Speed * float64(time.Second))
}
