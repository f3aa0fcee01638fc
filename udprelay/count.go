package udprelay

import (
	"sync/atomic"
	"time"
)

// lot are datagrams that are counted together.
type lot struct{ packets, bytes, controls, controlBytes int } // controls are RTCP, and not among packets

func (l *lot) add(n int, control bool) {
	if control {
		l.controls++
		l.controlBytes += n
		return
	}
	l.packets++
	l.bytes += n
}

// counter counts datagrams that several goroutines add.
type counter struct{ packets, bytes atomic.Uint64 }

func (c *counter) add(packets, bytes int) {
	if packets > 0 {
		c.packets.Add(uint64(packets))
		c.bytes.Add(uint64(bytes))
	}
}

// course is one direction of a flow. RTCP, which is rare, is counted by a control, so that what is touched for each packet of
// the media fits a line of the processor's cache, and nothing is added twice.
type course struct {
	got, sent counter      // what is not RTCP
	seen      atomic.Int64 // last valid packet, RTCP too, Unix ns; 0 if none
}

// control is the RTCP of a direction.
type control struct{ got, sent counter }

// course is the direction from a side.
func (f *Flow) course(from Side) *course {
	if from == f.media {
		return &f.along
	}
	return &f.against
}

// sentTo counts what was sent to a side.
func (f *Flow) sentTo(side Side, l lot) {
	f.course(side.other()).sent.add(l.packets, l.bytes)
	f.control[side.other()].sent.add(l.controls, l.controlBytes)
}

// came is what was accepted from a side, RTCP too.
func (f *Flow) came(side Side) Traffic { return traffic(&f.course(side).got, &f.control[side].got) }

// went is what was sent to a side, RTCP too.
func (f *Flow) went(side Side) Traffic {
	return traffic(&f.course(side.other()).sent, &f.control[side.other()].sent)
}

func traffic(c, control *counter) Traffic {
	controls := control.packets.Load()
	return Traffic{Packets: c.packets.Load() + controls, Bytes: c.bytes.Load() + control.bytes.Load(), RTCPPackets: controls}
}

// intake is what the datagrams of one message add to the figures of their flow. They are added together: an addition that others
// may read costs as much as judging a datagram.
type intake struct {
	lot
	flow  *Flow
	side  Side
	media bool  // some were counted as media
	at    int64 // when they came, Unix ns
}

func newIntake(side Side, now time.Time) intake { return intake{side: side, at: now.UnixNano()} }

// open begins with a datagram of a flow; those of a socket that several share may be another's each.
func (in *intake) open(f *Flow) {
	if in.flow != f {
		in.settle()
		in.flow = f
	}
}

// settle adds what there is.
func (in *intake) settle() {
	l, f := in.lot, in.flow
	if l.packets+l.controls == 0 {
		return
	}
	c := f.course(in.side)
	c.got.add(l.packets, l.bytes)
	f.control[in.side].got.add(l.controls, l.controlBytes)
	c.seen.Store(in.at)
	if in.media {
		if f.first.Load() == 0 {
			f.first.Store(in.at)
		}
		f.last.Store(in.at)
		f.meter.publish()
	}
	in.lot, in.media = lot{}, false
}
