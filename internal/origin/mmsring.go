package origin

import (
	"net/netip"
	"time"

	"mediagate/mms/mmswire"
)

// ringSize is how many Data packets are kept to be sent again; their payloads mostly point into the file.
const ringSize = 1024

// sentRing keeps the last Data packets with ASF data, by their sequence numbers.
type sentRing struct {
	packets [ringSize]struct {
		sequence uint32
		data     mmswire.Data
	}
}

func (r *sentRing) add(sequence uint32, d mmswire.Data) {
	e := &r.packets[sequence%ringSize]
	e.sequence, e.data = sequence, d
}

// find is the packet with that number, if it is still there.
func (r *sentRing) find(sequence uint32) (mmswire.Data, bool) {
	if r == nil {
		return mmswire.Data{}, false
	}
	e := &r.packets[sequence%ringSize]
	return e.data, e.sequence == sequence && e.data.Payload != nil
}

// lost finds packets to send again, and where to. [MS-MMSP] 3.2.5.13. Over TCP nothing is lost.
func (c *mmsConn) lost(sequences []uint32, now time.Time) (packets []mmswire.Data, to netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil || !c.to.IsValid() {
		return nil, to
	}
	for _, n := range sequences {
		if d, ok := c.sent.find(n); ok && c.resends.take(now) {
			packets = append(packets, d)
		}
	}
	return packets, c.to
}
