package udprelay

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// holdMost is the longest that a flow holds its media back.
	holdMost = 500 * time.Millisecond
	// heldDatagrams and heldBytes bound what is held: more than an ASF header of any file that was seen has.
	heldDatagrams = 64
	heldBytes     = 128 << 10
)

// hold is what waits of one flow, in order.
type hold struct {
	flow *Flow

	mu    sync.Mutex // guards the following, and the order towards the client
	timer *time.Timer
	over  bool
	list  []held
	size  int
}

// held is a datagram on its way to the client.
type held struct {
	from *socket
	to   netip.AddrPort
	b    []byte
	tos  uint8
}

// Hold keeps the media of a flow of MMS here until Release, half a second at most, and no more than 64 datagrams of 128 KiB
// together: what does not fit lets all of it go. It is for a message that the origin sends before its media, on a
// connection that is slower; packet pairs, which may come before it ([MS-MMSP] 3.2.5.8), are not held. On a flow of RTP it
// does nothing.
func (f *Flow) Hold() {
	if f.mms == nil {
		return
	}
	h := &hold{flow: f}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.mms.held.CompareAndSwap(nil, h) {
		h.timer = time.AfterFunc(holdMost, h.release)
	}
}

// Release lets go what Hold kept, before anything that comes after it.
func (f *Flow) Release() {
	if f.mms == nil {
		return
	}
	if h := f.mms.held.Load(); h != nil {
		h.release()
	}
}

// keep reports whether a datagram that was read from s has to wait. What waits is a copy.
func (f *Flow) keep(s *socket, to netip.AddrPort, b []byte, tos uint8) bool {
	if f.mms == nil || s.side != Origin {
		return false
	}
	h := f.mms.held.Load()
	return h != nil && !isMMSPair(b) && h.keep(s, to, b, tos)
}

func (h *hold) keep(s *socket, to netip.AddrPort, b []byte, tos uint8) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over && (len(h.list) == heldDatagrams || h.size+len(b) > heldBytes) {
		h.releaseLocked()
	}
	if h.over {
		return false
	}
	h.list = append(h.list, held{s, to, append([]byte(nil), b...), tos})
	h.size += len(b)
	return true
}

func (h *hold) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.releaseLocked()
}

// releaseLocked writes what waits. Until it has, who reads the flow's socket waits for the lock.
func (h *hold) releaseLocked() {
	if h.over {
		return
	}
	h.over = true
	h.timer.Stop()
	for _, d := range h.list {
		if !h.flow.open() {
			h.flow.drops.add(DropClosed)
			continue
		}
		h.flow.write(d.from, d.to, d.b, d.tos)
	}
	h.list = nil
	h.flow.mms.held.CompareAndSwap(h, nil)
}

// write sends a datagram of s on by itself.
func (f *Flow) write(s *socket, to netip.AddrPort, b []byte, tos uint8) {
	out, err := s.side.other(), error(nil)
	if c, ok := f.legs[out].sock[s.k].conn.(loopConn); ok {
		_, err = c.writeMarked(b, to, tos)
	} else {
		_, err = f.legs[out].sock[s.k].conn.WriteToUDPAddrPort(b, to)
	}
	if err != nil {
		f.drops.add(writeReason(err))
		return
	}
	var l lot
	l.add(len(b), f.mms == nil && isRTCP(b))
	f.sentTo(out, l)
}
