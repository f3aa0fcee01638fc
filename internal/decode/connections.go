package decode

import (
	"net/netip"
	"time"
)

// conn finds the connection of a segment, or makes one; from is the end that sent it.
func (d *decoder) conn(src, dst netip.AddrPort, seq uint32, flags byte, at time.Time) (c *conn, from int) {
	key := connKey{src, dst}
	if dst.Compare(src) < 0 {
		key = connKey{dst, src}
	}
	opens := flags&(flagSYN|flagACK) == flagSYN
	c = d.conns[key]
	if c != nil && opens && (seq != c.isn || c.ends[0] != src) && (c.syn || c.ignored || c.reset > 0) {
		d.endConn(c, at) // the ports are used again
		delete(d.conns, key)
		c = nil
	}
	switch {
	case c == nil && flags&flagRST != 0:
		return nil, 0
	case c == nil:
		if c = d.newConn(key, src, dst, at); c == nil {
			return nil, 0
		}
		if flags&(flagSYN|flagACK) == flagSYN|flagACK { // the answer is the first that was captured
			c.ends = [2]netip.AddrPort{dst, src}
		}
	}
	if opens {
		c.syn, c.isn = true, seq
		c.tries++
	}
	if c.ends[0] == src {
		return c, 0
	}
	return c, 1
}

func (d *decoder) newConn(key connKey, src, dst netip.AddrPort, at time.Time) *conn {
	if len(d.conns) >= d.lim.Connections && !d.makeRoom(at) {
		d.left.connections++
		return nil
	}
	c := &conn{ends: [2]netip.AddrPort{src, dst}, begin: at}
	for i := range c.streams {
		c.streams[i].deliver = func(b []byte, at time.Time) { d.speak(c, i, b, 0, at) }
		c.streams[i].missing = func(n int, at time.Time) { d.speak(c, i, nil, n, at) }
	}
	d.conns[key] = c
	d.queue = append(d.queue, queued{key, c})
	return c
}

// queued is a connection in the order in which they began.
type queued struct {
	key connKey
	c   *conn
}

// makeRoom forgets the oldest connection that is over, or that has not said anything of ours. It looks at a few only, so
// that a storm of connections costs little.
func (d *decoder) makeRoom(at time.Time) bool {
	const looks = 16
	for range min(looks, len(d.queue)) {
		q := d.queue[0]
		d.queue = d.queue[1:]
		switch {
		case d.conns[q.key] != q.c: // gone before
		case q.c.talk == nil || q.c.ignored || q.c.fins[0] && q.c.fins[1]:
			d.endConn(q.c, at)
			delete(d.conns, q.key)
			return true
		default:
			d.queue = append(d.queue, q)
		}
	}
	return false
}
