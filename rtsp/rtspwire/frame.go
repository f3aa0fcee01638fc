package rtspwire

// MaxFramePayload is the largest payload an interleaved frame can hold, in bytes.
const MaxFramePayload = 1<<16 - 1

// frameHeader is "$", channel and two bytes of length (RFC 2326, section 10.12).
const frameHeader = 4

// Frame is one block of interleaved binary data (RFC 2326, section 10.12). Its Payload belongs to the Reader and is
// valid until the next Read: a frame costs no allocation.
type Frame struct {
	Channel uint8
	Payload []byte

	wire []byte // of one that was read: as it lies in the Reader's buffer, up to that one's end in capacity
}

func (*Frame) item() {}

// Append writes the frame to the end of b.
func (f *Frame) Append(b []byte) []byte { return AppendFrame(b, f.Channel, f.Payload) }

// Readdress gives the frame another channel and returns it as it goes on the wire. Of a frame that was read that is the
// Reader's own memory, valid as long as the Payload; any other is copied, and is nil with a payload over MaxFramePayload.
func (f *Frame) Readdress(channel uint8) []byte {
	f.Channel = channel
	if f.wire == nil {
		return f.Append(nil)
	}
	f.wire[1] = channel
	return f.wire
}

// ReaddressAfter is Readdress for a frame that is to go on behind others: if it lies right behind them in the Reader's
// buffer, the result is all of them, and nothing was copied. Otherwise ok is false and nothing has changed. Frames stay
// where they lie while FrameReady says, after each, that there is another.
func (f *Frame) ReaddressAfter(wire []byte, channel uint8) (joined []byte, ok bool) {
	n := len(wire)
	if cap(wire)-n < len(f.wire) || len(f.wire) == 0 {
		return nil, false
	}
	joined = wire[:n+len(f.wire)]
	if &joined[n] != &f.wire[0] {
		return nil, false
	}
	f.Readdress(channel)
	return joined, true
}

// AppendFrame writes an interleaved frame to the end of b. A payload over MaxFramePayload cannot be written as one
// frame; nothing is appended then.
func AppendFrame(b []byte, channel uint8, payload []byte) []byte {
	if len(payload) > MaxFramePayload {
		return b
	}
	b = append(b, '$', channel, byte(len(payload)>>8), byte(len(payload)))
	return append(b, payload...)
}
