package udprelay

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Peer is what signalling said of one side.
type Peer struct {
	// Addr is where the control connection comes from or goes to; never what the peer says of itself.
	Addr netip.Addr
	// RTP and RTCP are the negotiated ports; 0 means not known: learn it from the first packet of that address. With
	// RTP 0, RTCP counts as not known too (a server_port of "0-1" means nothing). With MMS, RTP is the one port there is.
	RTP, RTCP uint16
	// Also are other addresses that this side may send from, such as the other nodes of the pool.
	Also []netip.Addr
}

// Flow is the relay of one media: a leg to the client and a leg to the origin. It is safe for concurrent use. Its
// owner, the session, calls Close.
//
// Who writes what: the goroutine that reads a socket writes what belongs to that port (the meter and the probation
// are one port's each), or, where several may have datagrams for one, whoever holds turn; everything else is atomic; who asks
// for figures reads atomics only.
//
// The order is that of the processor's cache: with a thousand flows in turn, most of what a packet costs here is waiting for
// memory. What a packet of the media touches comes first and lies together, in five lines of 64 bytes: up to legs, legs, and from
// along to the meter's first source (what Go's allocator puts before an object of this size takes 8 bytes of the first).
type Flow struct {
	closed      atomic.Bool
	lastSSRC    uint32       // written by the media side's RTP socket
	mms         *mmsFlow     // nil: RTP; never changed after Reserve, as tap, media and most of legs
	tap         Tap          // nil: nobody looks
	first, last atomic.Int64 // packet of the media, Unix ns; 0 if none
	media       Side         // the side that the media comes from
	legs        [sides]leg
	along       course // in the direction of the media
	meter       Meter  // written by the media side's RTP socket

	// Never changed after Reserve.
	relay  *Relay
	local  [sides]PortPair
	tables []*table      // of the sockets that it shares: the client leg's, the resend port's
	done   chan struct{} // closed by free
	owner  string
	opened time.Time

	turn    sync.Mutex // of the loops that have datagrams for the origin leg, where several may (Relay.crossed)
	against course     // in the other direction
	back    probation  // written by the RTP socket of the side that the media goes to
	control [sides]control
	ssrcs   ssrcSet
	drops   tally
	icmp    [sides]icmpCounter
	reports reports

	wg      sync.WaitGroup // the goroutines of the flow's own sockets
	freeing sync.Once

	mu      sync.Mutex   // guards the following fields and the order of Connect and free
	freed   bool         // out of the tables for good
	entered []netip.Addr // client addresses in the tables
}

func newFlow(r *Relay, spec Spec) *Flow {
	f := &Flow{relay: r, media: Origin, done: make(chan struct{}), tap: spec.Tap, owner: spec.Owner}
	if spec.Publish {
		f.media = Client
	}
	f.local[Client].Addr, f.legs[Client].free = spec.ClientLocal, r.cfg.Latch == LatchSameAddress
	f.local[Origin].Addr, f.legs[Origin].free = spec.OriginLocal, r.cfg.OriginLatch == LatchSameAddress
	if spec.Protocol == MMS {
		f.mms = &mmsFlow{}
		// No player of MMS opens a NAT with a datagram, and what comes from another port of its address is somebody else's:
		// a late report of an RTP player behind the same NAT, say. It must not take the media away.
		f.legs[Client].free = false
	}
	return f
}

// bind takes the ports of both legs. After an error unbind gives back what was taken.
func (f *Flow) bind(spec Spec) error {
	use := kinds
	if f.mms != nil {
		use = rtcp // the even ports only
	}
	if spec.Resend.IsValid() {
		p, err := f.relay.resendPort(spec.Resend)
		if err != nil {
			return err
		}
		f.tables = append(f.tables, &p.table)
	}
	for side := range sides {
		l := &f.legs[side]
		if side == Client && f.relay.shared {
			p, err := f.relay.pair(f.local[side].Addr)
			if err != nil {
				return err
			}
			f.tables, f.local[side], l.sock = append(f.tables, &p.table), p.local, p.sock
			if f.mms != nil {
				f.local[side].RTCP = 0
			}
			continue
		}
		want := uint16(0)
		if side == Origin {
			want = spec.OriginPort
		}
		pair, conns, err := f.relay.ranges[side].reserve(f.local[side].Addr, use, want)
		if err != nil {
			return err
		}
		f.local[side] = pair
		for k := range use {
			f.relay.size(conns[k], 1)
			l.sock[k] = newSocket(f.relay, conns[k], side, k)
			l.sock[k].flow, l.sock[k].drops = f, &f.drops
		}
	}
	return nil
}

// start reads the flow's own sockets from now on.
func (f *Flow) start() {
	for side := range sides {
		for _, s := range f.legs[side].sock {
			if s != nil && s.flow == f {
				s.start(&f.wg, int(f.local[Origin].RTP/2))
			}
		}
	}
}

// unbind closes the flow's own sockets, waits for their goroutines and only then frees the ports.
func (f *Flow) unbind() {
	for side := range sides {
		for _, s := range f.legs[side].sock {
			if s != nil && s.flow == f {
				s.close()
			}
		}
	}
	f.wg.Wait()
	for side := range sides {
		if s := f.legs[side].sock[rtp]; s != nil && s.flow == f {
			f.relay.ranges[side].release(f.local[side])
		}
	}
}

// ClientPair is the local pair that faces the client. A flow of MMS has its RTP port only.
func (f *Flow) ClientPair() PortPair { return f.local[Client] }

// OriginPair is the local pair that faces the origin. A flow of MMS has its RTP port only.
func (f *Flow) OriginPair() PortPair { return f.local[Origin] }

// Connect tells a side's peer. It may be called again to move the peer; what was learned is then forgotten, unless
// the peer is the same as before.
func (f *Flow) Connect(side Side, p Peer) error {
	if side >= sides {
		return fmt.Errorf("udprelay: connect flow: no such side: %d", side)
	}
	l := &f.legs[side]
	if err := reachable(f.local[side].Addr, p); err != nil {
		return fmt.Errorf("udprelay: connect flow: %v %w", side, err)
	}
	if f.mms != nil {
		p.RTCP = 0
	}
	next := newBearings(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open() {
		return fmt.Errorf("udprelay: connect flow: flow is %w", ErrClosed)
	}
	if b := l.at.Load(); b != nil && b.samePeer(next) {
		return nil
	}
	l.at.Store(next)
	if side == Client {
		f.enterLocked()
	}
	return nil
}

// reachable refuses a peer that no packet can be sent to from a local address.
func reachable(local netip.Addr, p Peer) error {
	for i, a := range append([]netip.Addr{p.Addr}, p.Also...) {
		a = a.Unmap()
		switch {
		case !a.IsValid() || a.IsUnspecified() || a.IsMulticast():
			return fmt.Errorf("address %q: not the address of one host", a)
		case i == 0 && a.Is4() != local.Is4():
			return fmt.Errorf("address %v: not of the same family as our %v", a, local)
		}
	}
	return nil
}

// AddSSRC tells an SSRC that was negotiated for the flow (the ssrc of a Transport field). RTCP that names it proves
// its sender. 0, which anybody guesses, proves nothing.
func (f *Flow) AddSSRC(ssrc uint32) { f.ssrcs.add(ssrc, &f.ssrcs.negotiated) }

// SetClockRate tells the RTP clock of a payload type (a=rtpmap) in Hz, for the jitter.
func (f *Flow) SetClockRate(payloadType uint8, hz uint32) { f.meter.SetClockRate(payloadType, hz) }

// LastSeen is when a valid packet of that side last came in, the zero time if none did.
func (f *Flow) LastSeen(side Side) time.Time {
	if side >= sides {
		return time.Time{}
	}
	return instant(&f.course(side).seen)
}

// Close ends the flow: nothing more is passed on. Its ports linger, late packets are counted, then they are freed. It
// returns at once and may be called more than once.
func (f *Flow) Close() {
	if !f.closed.Swap(true) {
		f.Release() // to be counted now
		f.relay.linger(f)
	}
}

// Done is closed when the ports of a closed flow are free again.
func (f *Flow) Done() <-chan struct{} { return f.done }

func (f *Flow) open() bool { return !f.closed.Load() }

// free ends a closed flow; who comes second waits for the first.
func (f *Flow) free() {
	f.freeing.Do(func() {
		f.mu.Lock()
		f.freed = true
		for _, t := range f.tables {
			t.enter(f, f.entered, nil)
		}
		f.mu.Unlock()
		f.unbind()
		f.relay.forget(f)
		close(f.done)
	})
}

// enterLocked makes the tables true for where the client leg is now.
func (f *Flow) enterLocked() {
	b := f.legs[Client].at.Load()
	now := append([]netip.Addr{b.addr}, b.also...)
	for _, t := range f.tables {
		t.enter(f, f.entered, now)
	}
	f.entered = now
}

// moved enters what the client leg has learned into the tables.
func (f *Flow) moved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.freed {
		f.enterLocked()
	}
}

// touch loads what a packet that came to port k of a side will need, and returns something that depends on it. The meter is not
// touched for who does not read the media's RTP socket: part of it is that one's alone.
func (f *Flow) touch(side Side, k kind) uint64 {
	n := uint64(f.first.Load()) + uint64(f.along.seen.Load())
	if b := f.legs[side].at.Load(); b != nil {
		n += uint64(b.seen[k].Port())
	}
	if b := f.legs[side.other()].at.Load(); b != nil {
		n += uint64(b.to[k].Port())
	}
	if side == f.media && k == rtp {
		n += f.meter.touch(f.relay.crossed && side == Origin)
	}
	return n
}

// named reports whether a packet names an SSRC of the flow.
func (f *Flow) named(info *rtcpInfo) bool {
	for _, s := range info.ssrc[:info.ssrcs] {
		if f.ssrcs.has(s) {
			return true
		}
	}
	return false
}
