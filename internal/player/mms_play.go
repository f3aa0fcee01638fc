package player

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mediagate/mms/mmswire"
)

const (
	// reorderTime is how long a packet may be missing before it is asked for: others may have overtaken it.
	reorderTime = 30 * time.Millisecond
	// maxAsks is how many resend requests are sent in one tick.
	maxAsks = 8
	// overtaken is how long UDP must be quiet after the end of stream, which it may have been overtaken by, before
	// packets are missed that should have come; after quietTime no more are waited for.
	overtaken = 250 * time.Millisecond
	quietTime = 500 * time.Millisecond
	// changeTimeout is how long the next entry of a playlist may take to be announced.
	changeTimeout = 10 * time.Second
)

// startPlaying selects all streams and starts, without waiting between. [MS-MMSP] 3.1.4.2 and 3.1.4.4.
func (r *mmsRun) startPlaying(ctx context.Context) error {
	selection := &mmswire.StreamSwitch{}
	for _, s := range r.info.Streams {
		selection.Entries = append(selection.Entries, mmswire.StreamSwitchEntry{Src: 0xffff, Dst: uint16(s.Number)})
	}
	start := &mmswire.StartPlaying{
		OpenFileID: r.file.OpenFileID, AsfOffset: 0xffffffff, LocationID: 0xffffffff, PlayIncarnation: r.nextPlay(),
	}
	if !r.streaming {
		start.Position = r.o.Start.Seconds()
	}
	if r.stream == nil {
		r.stream = r.newStream()
	}
	r.stream.incarnations = append(r.stream.incarnations, uint8(start.PlayIncarnation))
	r.started, r.streaming, r.playedAt = start.PlayIncarnation, true, time.Now()
	if err := r.send(selection); err != nil {
		return err
	}
	if err := r.send(start); err != nil {
		return err
	}
	for wanted := []mmswire.MID{mmswire.MIDReportStreamSwitch, mmswire.MIDReportStartedPlaying}; len(wanted) > 0; {
		m, err := r.await(ctx, wanted...)
		if err != nil {
			return err
		}
		wanted = slices.DeleteFunc(wanted, func(id mmswire.MID) bool { return id == m.MID() })
	}
	r.step("playing")
	return nil
}

// newStream is for the packets of an entry. Those of the first go into the file.
func (r *mmsRun) newStream() *mmsStream {
	out := r.out
	if r.report.EndOfStream {
		out = nil
	}
	return newMMSStream(r.transport == "tcp", r.nextSeq, func(p rtp, _ bool) {
		if out != nil {
			out.packet(p.payload)
		}
	})
}

// take takes a Data packet. [MS-MMSP] 3.1.5.11, 3.1.5.12 and 3.1.5.17.
func (r *mmsRun) take(e mmsEvent) {
	d := e.data
	if e.from.IsValid() {
		r.heardFrom(e.from)
	}
	switch {
	case d.IsPacketPair():
		n := d.LocationID & 1
		if r.pairs[n] = e.at; n == 1 && !r.pairs[0].IsZero() {
			r.measured("udp", e.size)
		}
	case r.header != nil && !r.header.whole() && slices.Contains(r.header.incarnations, d.PlayIncarnation):
		r.header.add(d)
		if r.header.whole() && r.header.current() == changed { // its packets follow without being asked for
			r.stream = r.newStream()
			r.stream.incarnations = []uint8{changed}
		}
	case r.stream != nil && r.stream.takes(d.PlayIncarnation):
		if r.firstAt.IsZero() {
			r.firstAt = e.at
			r.report.FirstPacket = e.at.Sub(r.began)
			r.step("first packet after %s", r.report.FirstPacket.Round(time.Millisecond))
		}
		r.stream.push(d, e.size, e.at)
	}
}

// receive handles what comes until the media is over.
func (r *mmsRun) receive(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return fmt.Errorf("player: play: %w", context.Cause(ctx))
		case e := <-r.events:
			err = r.handle(e)
		case now := <-tick.C:
			err = r.tick(now)
		}
		if err == nil {
			err = r.goOn(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// tick does what is due.
func (r *mmsRun) tick(now time.Time) error {
	if s := r.stream; s != nil {
		if r.o.Resend && !s.ordered {
			r.askAgain(now)
		}
		s.flow.giveUp(now)
		if s.flow.packets == 0 && r.ended.IsZero() && now.Sub(r.playedAt) > mediaTimeout {
			if r.firstAt.IsZero() {
				return ErrNoMedia
			}
			return errors.New("player: play: no packet of the next entry came in time")
		}
	}
	switch {
	case r.o.Duration > 0 && !r.firstAt.IsZero() && now.Sub(r.firstAt) >= r.o.Duration:
		r.step("played for %s", r.o.Duration)
		return errDone
	case now.Sub(r.heard) > silenceTimeout:
		return fmt.Errorf("player: play: nothing came for %s", silenceTimeout)
	}
	return nil
}

// askAgain asks for what is missing, from the port that media comes to. [MS-MMSP] 3.1.4.7.
func (r *mmsRun) askAgain(now time.Time) {
	numbers := r.stream.flow.due(now, reorderTime)
	slices.Sort(numbers)
	to := netip.AddrPortFrom(r.origin, r.port)
	for i := 0; i < maxAsks && len(numbers) > 0; i++ {
		some := numbers[:min(len(numbers), mmswire.MaxResend)]
		numbers = numbers[len(some):]
		r.stream.asked += uint32(len(some))
		b := mmswire.AppendResend(nil, mmswire.ResendRequest{
			ClientID: r.clientID, SourceID: uint16(r.file.OpenFileID), Packets: some,
		})
		_, _ = r.udp.WriteToUDPAddrPort(b, to) // it is asked again
	}
}

// endOfStream notes the end of an entry, and whether another follows. [MS-MMSP] 3.1.5.18.
func (r *mmsRun) endOfStream(m *mmswire.ReportEndOfStream) error {
	if r.stopping {
		return nil
	}
	if err := failed("play", m.HR); err != nil {
		r.streaming = false
		return err
	}
	r.ended, r.report.EndOfStream = time.Now(), true
	if r.major() >= 9 {
		r.more = m.HR == 1
	} else {
		r.more = m.HR == 0 && r.file.FileAttributes&mmswire.AttributeBroadcast != 0
	}
	if r.more {
		r.step("end of playlist entry")
	}
	return nil
}

// changed is the incarnation of all Data packets that follow a ReportStreamChange over TCP. [MS-MMSP] 3.2.4.2.
const changed = 0xff

// streamChange notes the next entry. Over TCP its header comes at once. [MS-MMSP] 3.1.5.19.
func (r *mmsRun) streamChange(m *mmswire.ReportStreamChange) error {
	r.change = m
	if r.stream != nil && r.ended.IsZero() {
		r.ended = time.Now()
	}
	r.more = true
	if r.transport == "udp" {
		return nil
	}
	r.header = newMMSHeader(changed)
	err := r.closeEntry()
	r.ended, r.more = time.Time{}, false
	return err
}

// goOn ends an entry of which all has come that will come, and begins the next.
func (r *mmsRun) goOn(ctx context.Context) error {
	now := time.Now()
	if r.stream != nil && !r.ended.IsZero() && r.complete(now) {
		if err := r.closeEntry(); err != nil {
			return err
		}
	}
	switch {
	case r.over:
		r.step("end of stream")
		return errDone
	case r.change != nil && (r.transport == "tcp" || r.stream == nil):
		return r.nextEntry(ctx)
	case r.stream != nil || now.Sub(r.ended) <= changeTimeout:
		return nil
	case r.major() < 9: // of a broadcast it does not tell more
		return errDone
	default:
		return errors.New("player: play: the next entry did not come in time")
	}
}

// complete tells whether every packet before the end has come, or no more are to be waited for.
func (r *mmsRun) complete(now time.Time) bool {
	s := r.stream
	if s.ordered {
		return true
	}
	last := r.ended
	if s.lastAt.After(last) {
		last = s.lastAt
	}
	quiet := now.Sub(last)
	if r.packets > 0 && quiet > overtaken {
		s.expect(r.packets, now)
	}
	switch all := s.started && uint64(s.location)+1 >= r.packets && r.packets > 0; {
	case all && len(s.flow.missing) == 0, now.Sub(r.ended) > endWait:
		return true
	default:
		return quiet > quietTime && !(r.o.Resend && s.asking(now))
	}
}

// closeEntry reports what came of an entry and counts it. [MS-MMSP] 3.1.5.18.
func (r *mmsRun) closeEntry() error {
	s := r.stream
	if s == nil {
		return nil
	}
	r.count(s)
	r.stream, r.over = nil, !r.more
	if r.broken {
		return nil
	}
	return r.sendLog(s)
}

// nextEntry goes on to the entry that was announced. [MS-MMSP] 3.1.5.19 and 3.1.4.4.
func (r *mmsRun) nextEntry(ctx context.Context) (err error) {
	if r.transport == "udp" {
		r.ended, r.more = time.Time{}, false
		err = r.readHeader(ctx)
	} else if err = r.awaitHeader(ctx, r.headerTime()); err == nil {
		err = r.describe()
	}
	if err != nil {
		return err
	}
	r.change = nil
	r.step("next entry")
	return r.startPlaying(ctx)
}
