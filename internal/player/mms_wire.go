package player

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"mediagate/mms/mmswire"
)

// mmsEvent is what a reader has read: a message, a Data packet or an error.
type mmsEvent struct {
	message mmswire.Message
	data    *mmswire.Data
	err     error

	size int            // of data, its header included
	from netip.AddrPort // of data over UDP; not valid over TCP
	at   time.Time
}

// offer hands an event to the owner; false means that the run is over.
func (r *mmsRun) offer(e mmsEvent) bool {
	e.at = time.Now()
	select {
	case r.events <- e:
		return true
	case <-r.done:
		return false
	}
}

// readTCP reads messages and Data packets until the connection ends. [MS-MMSP] 3.1.5.2.
func (r *mmsRun) readTCP(tcp net.Conn) {
	in := mmswire.NewReader(tcp, mmswire.Limits{})
	for {
		item, err := in.Read()
		if err != nil {
			r.offer(mmsEvent{err: err})
			return
		}
		switch item := item.(type) {
		case *mmswire.Data:
			if !r.offer(mmsEvent{data: keep(*item), size: len(item.Bytes())}) {
				return
			}
		case *mmswire.Packet:
			for _, raw := range item.Messages {
				m, err := mmswire.Decode(raw)
				if !r.offer(mmsEvent{message: m, err: err}) || err != nil {
					return
				}
			}
		}
	}
}

// keep is a packet of its own: a reader's lives until it reads on.
func keep(d mmswire.Data) *mmswire.Data {
	return &mmswire.Data{
		LocationID: d.LocationID, PlayIncarnation: d.PlayIncarnation, AFFlags: d.AFFlags, Payload: slices.Clone(d.Payload),
	}
}

// readUDP reads the socket until it is closed. Packets of others than the origin are no media of ours.
func (r *mmsRun) readUDP(c *net.UDPConn) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP error of an earlier packet, not of the socket
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		d, err := mmswire.ParseData(b[:n])
		if err == nil && from.Addr() == r.origin && !r.offer(mmsEvent{data: keep(d), size: n, from: from}) {
			return
		}
	}
}

// send writes a message, alone in its packet and in one write. [MS-MMSP] 3.1.5.1.
func (r *mmsRun) send(m mmswire.Message) error {
	b := mmswire.AppendPacket(nil, r.seq, uint64(time.Since(r.opened).Milliseconds()), mmswire.Encode(m))
	r.seq++
	err := r.tcp.SetWriteDeadline(time.Now().Add(answerTimeout))
	if err == nil {
		_, err = r.tcp.Write(b)
	}
	if err != nil {
		r.broken = true
		return fmt.Errorf("player: send %s: %w", m.MID(), err)
	}
	return nil
}

// await waits for one of the messages and handles what else comes. An answer that says that the request failed is an
// error.
func (r *mmsRun) await(ctx context.Context, wanted ...mmswire.MID) (mmswire.Message, error) {
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("player: wait for %s: %w", wanted[0], context.Cause(ctx))
		case <-timer.C:
			return nil, fmt.Errorf("player: wait for %s: no answer in time", wanted[0])
		case e := <-r.events:
			if err := r.handle(e); err != nil {
				return nil, err
			}
			if e.message != nil && slices.Contains(wanted, e.message.MID()) {
				return e.message, nil
			}
		}
	}
}

// handle takes what a reader has read.
func (r *mmsRun) handle(e mmsEvent) error {
	r.heard = e.at
	switch {
	case e.err != nil:
		r.broken = true
		if r.ended.IsZero() || r.more {
			return fmt.Errorf("player: read: %w", e.err)
		}
		return nil // what is on its way over UDP may still come
	case e.data != nil:
		r.take(e)
		return nil
	default:
		return r.told(e.message)
	}
}

// told takes a message of the server, in whatever state.
func (r *mmsRun) told(m mmswire.Message) error {
	switch m := m.(type) {
	case *mmswire.Ping: // [MS-MMSP] 3.1.5.13
		return r.send(&mmswire.Pong{})
	case *mmswire.ReportConnectedEX:
		return failed("connect", m.HR)
	case *mmswire.ReportFunnelInfo:
		return failed("ask for funnel info", m.HR)
	case *mmswire.ReportConnectedFunnel:
		return failed("connect funnel", m.HR)
	case *mmswire.ReportOpenFile:
		return failed("open "+r.fileName(), m.HR)
	case *mmswire.ReportReadBlock:
		if r.header != nil && r.header.current() == uint8(m.PlayIncarnation) {
			return failed("read header", m.HR)
		}
	case *mmswire.ReportStreamSwitch:
		return failed("select streams", m.HR)
	case *mmswire.ReportStartedPlaying:
		return failed("start playing", m.HR)
	case *mmswire.ReportEndOfStream:
		return r.endOfStream(m)
	case *mmswire.ReportStreamChange:
		return r.streamChange(m)
	}
	return nil
}

// reasons are the results that are worth a word. [MS-ERREF] 2.1.1.
var reasons = map[uint32]string{
	0xc00d001a: " (there is no such file)", 0x80070002: " (there is no such file)", 0x80070005: " (access denied)",
}

// errResult is a request that the origin could not fulfil.
var errResult = errors.New("the origin says")

// failed is the error of a result, nil for a good one. The highest bit tells.
func failed(what string, hr uint32) error {
	if hr>>31 == 0 {
		return nil
	}
	return fmt.Errorf("player: %s: %w 0x%08x%s", what, errResult, hr, reasons[hr])
}
