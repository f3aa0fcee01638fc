package origin

import (
	"math"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

const (
	nowhere = math.MaxUint32 // of asfOffset and locationId; so is 0. [MS-MMSP] 2.2.4.25

	relativeEnd = 1 << 31    // frameOffset counts from the start position
	noEnd       = 0x00ffffff // Observed: VLC, FFmpeg and libmms mean by it that there is no end
)

// maxAccel bounds how long the accelerated beginning may be, in milliseconds of media.
const maxAccel = 20_000

// run is what a StartPlaying, or over HTTP a Play, asked for. It is its task's alone.
type run struct {
	file        *asf.File
	incarnation uint8
	index       int     // of the next packet
	until       uint64  // send time in milliseconds at which to stop; 0: the end
	bandwidth   uint32  // bits per second at which the first packets go
	accelerated uint32  // how much media goes so, in milliseconds
	factor      float64 // how many times faster than Config.Speed all goes; 0 is 1
}

// startPlaying answers StartPlaying and has packets sent. [MS-MMSP] 3.2.5.11.
//
// Departs from it: the position counts while packets are being sent too. Observed: libmms seeks without StopPlaying. And
// Data packets carry the playIncarnation of the StartPlaying, not of the ReadBlock: players know them by it.
func (c *mmsConn) startPlaying(m *mmswire.StartPlaying) error {
	c.halt()
	a := &mmswire.ReportStartedPlaying{PlayIncarnation: m.PlayIncarnation, TigerFileID: openFileID}
	r := run{file: c.currentFile(), incarnation: uint8(m.PlayIncarnation)}
	if r.file == nil || m.OpenFileID != openFileID || !r.seek(m) {
		a.HR = hrInvalid
		return c.send(a)
	}
	if m.Optional >= 2 {
		r.bandwidth, r.accelerated = m.AccelBandwidth, min(m.AccelDuration, maxAccel)
	}
	c.mu.Lock()
	c.incarnation, c.streaming = m.PlayIncarnation, true
	if uint8(c.sequence) == 0xff { // [MS-MMSP] 2.2.2: after 0xFE a new beginning has 0x00
		c.sequence++
	}
	if c.to.IsValid() && c.sent == nil {
		c.sent = &sentRing{}
	}
	c.selected.settle()
	to := c.to
	c.mu.Unlock()
	if err := c.send(a); err != nil {
		return err
	}
	c.start(func(stop <-chan struct{}) { c.play(newClock(stop), r, to) })
	return nil
}

// seek finds the first packet: by its number, its place in the file, or its time, whichever is given. It returns false
// for one that is not there.
func (r *run) seek(m *mmswire.StartPlaying) bool {
	size := uint64(len(r.file.Header))
	switch {
	case m.LocationID != 0 && m.LocationID != nowhere:
		if uint64(m.LocationID) >= uint64(len(r.file.Packets)) {
			return false
		}
		r.index = int(m.LocationID)
	case m.AsfOffset != 0 && m.AsfOffset != nowhere:
		n := (max(uint64(m.AsfOffset), size) - size) / uint64(r.file.PacketSize)
		if n >= uint64(len(r.file.Packets)) {
			return false
		}
		r.index = int(n)
	case m.Position > 0 && m.Position < math.MaxUint32/1000:
		r.index = keyBefore(r.file, uint32(m.Position*1000))
	}
	switch end := m.FrameOffset; {
	case end == 0 || end == noEnd:
	case end&relativeEnd != 0:
		r.until = uint64(end&^relativeEnd) + uint64(sendTime(r.file, r.index))
	default:
		r.until = uint64(end)
	}
	return true
}

// sendTime is the packet's, or 0 if it cannot be read.
func sendTime(f *asf.File, index int) uint32 {
	if index >= len(f.Packets) {
		return 0
	}
	p, err := asf.ParsePacket(f.Packets[index])
	if err != nil {
		return 0
	}
	return p.SendTime
}

// startStriding refuses StartStriding: no FILE_ATTRIBUTE_MMS_CANSTRIDE promises it. [MS-MMSP] 3.2.5.12.
func (c *mmsConn) startStriding(m *mmswire.StartStriding) error {
	return c.send(&mmswire.ReportStartStriding{HR: hrNotImpl, PlayIncarnation: m.PlayIncarnation})
}

// stopPlaying answers StopPlaying, also if there is nothing to stop. Observed: VLC resumes with one. [MS-MMSP] 3.2.5.14.
func (c *mmsConn) stopPlaying(m *mmswire.StopPlaying) error {
	c.halt()
	return c.send(&mmswire.ReportEndOfStream{PlayIncarnation: m.PlayIncarnation})
}
