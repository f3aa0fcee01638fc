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
}

func (*Frame) item() {}

// Append writes the frame to the end of b.
func (f *Frame) Append(b []byte) []byte { return AppendFrame(b, f.Channel, f.Payload) }

// AppendFrame writes an interleaved frame to the end of b. A payload over MaxFramePayload cannot be written as one
// frame; nothing is appended then.
func AppendFrame(b []byte, channel uint8, payload []byte) []byte {
	if len(payload) > MaxFramePayload {
		return b
	}
	b = append(b, '$', channel, byte(len(payload)>>8), byte(len(payload)))
	return append(b, payload...)
}
