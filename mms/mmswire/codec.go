package mmswire

import (
	"encoding/binary"
	"math"
	"slices"
)

// codec walks over the fields of a message, and either reads them from data or writes them to its end. After a fault
// it reads zeros: only the first fault is kept, and layouts need not ask.
type codec struct {
	reading bool
	data    []byte
	pos     int    // reading: bytes read
	fault   string // reading: what is wrong
	failed  bool   // reading: the message reports a failure and may end before its last field
	short   bool   // reading: it did
}

func (c *codec) left() int { return len(c.data) - c.pos }

// has tells whether n bytes more are there, and remembers the fault if not.
func (c *codec) has(n int64) bool {
	switch {
	case c.fault != "" || c.short && n > 0:
		return false
	case n <= int64(c.left()):
		return true
	}
	c.fault = "it ends in the middle"
	return false
}

// take returns the next n bytes, nil if there are fewer.
func (c *codec) take(n int) []byte {
	if c.failed && n > c.left() {
		c.short, c.pos = true, len(c.data)
	}
	if !c.has(int64(n)) {
		return nil
	}
	c.pos += n
	return c.data[c.pos-n : c.pos]
}

func (c *codec) u16(fields ...*uint16) {
	for _, v := range fields {
		if !c.reading {
			c.data = binary.LittleEndian.AppendUint16(c.data, *v)
		} else if b := c.take(2); b != nil {
			*v = binary.LittleEndian.Uint16(b)
		}
	}
}

func (c *codec) u32(fields ...*uint32) {
	for _, v := range fields {
		if !c.reading {
			c.data = binary.LittleEndian.AppendUint32(c.data, *v)
		} else if b := c.take(4); b != nil {
			*v = binary.LittleEndian.Uint32(b)
		}
	}
}

func (c *codec) u64(v *uint64) {
	if !c.reading {
		c.data = binary.LittleEndian.AppendUint64(c.data, *v)
	} else if b := c.take(8); b != nil {
		*v = binary.LittleEndian.Uint64(b)
	}
}

func (c *codec) f64(v *float64) {
	bits := math.Float64bits(*v)
	c.u64(&bits)
	*v = math.Float64frombits(bits)
}

// hr is the result that reports begin with. A server that failed has nothing to say in the fields after it.
func (c *codec) hr(v *uint32) {
	c.u32(v)
	c.failed = c.reading && *v>>31 == 1
}

// fixed is a field of len(p) bytes.
func (c *codec) fixed(p []byte) {
	if !c.reading {
		c.data = append(c.data, p...)
	} else {
		copy(p, c.take(len(p)))
	}
}

// unused is a field at the end that says nothing: a message may end within it.
func (c *codec) unused(p []byte) {
	if !c.reading {
		c.fixed(p)
		return
	}
	c.fixed(p[:min(len(p), c.left())])
}

// bytes is a field whose size n another field gives. When reading, n is checked before anything is allocated.
func (c *codec) bytes(p *[]byte, n int64) {
	if !c.reading {
		c.data = append(c.data, *p...)
	} else if n > 0 && c.has(n) {
		*p = slices.Clone(c.take(int(n)))
	}
}

// tail is the end of a message whose last field is no text.
func (c *codec) tail(t *Tail) {
	if !c.reading {
		c.data = append(c.data, t.Rest...)
		return
	}
	if c.fault != "" || c.short {
		return
	}
	if !plain(c.data[c.pos:], padding(c.pos)) {
		t.Rest = slices.Clone(c.data[c.pos:])
	}
	c.pos = len(c.data)
}

// plain tells whether b is n zeros.
func plain(b []byte, n int) bool {
	return len(b) == n && !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// logSize returns the size of a CLIENT_LOG at the end of a message.
func (c *codec) logSize(written int) int64 {
	if !c.reading {
		return int64(written)
	}
	if c.left() >= 4 {
		if n := int64(binary.LittleEndian.Uint32(c.data[c.pos:])); n >= 4 && n <= int64(c.left()) {
			return n
		}
	}
	return int64(c.left())
}
