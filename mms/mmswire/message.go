package mmswire

// Raw is one message of a packet as it stands there ([MS-MMSP] 2.2.4), without its chunkLen.
type Raw struct {
	MID  MID
	Body []byte // all after the MID, padding included: a multiple of 8 bytes
}

// Message is a message with its fields: a pointer to one of the structs of this package that are named after the
// messages of [MS-MMSP] 2.2.4 (without "LinkViewerToMac" and "LinkMacToViewer"), or *Unknown.
type Message interface {
	// MID returns which message it is.
	MID() MID
	message
}

// message is a layout, for both directions: reading and writing.
type message interface {
	fields(c *codec)
}

// Unknown is a message that [MS-MMSP] does not have.
type Unknown struct {
	ID   MID
	Data []byte // padding included
}

// MID implements Message.
func (m *Unknown) MID() MID { return m.ID }

func (m *Unknown) fields(c *codec) {
	size := len(m.Data)
	if c.reading {
		size = c.left()
	}
	c.bytes(&m.Data, int64(size))
}

// Tail is what a message has after its last field. It is nil for what each message that we make has: the NUL of a text
// that stands last, and zeros up to a multiple of 8 bytes.
type Tail struct {
	// Rest is all that followed the last field, if that was something else: more fields, padding that is not zero or
	// longer than it must be, no NUL (then it may be empty, but not nil). It is written back as it came.
	Rest []byte
}

// Encode writes a message, padded to a multiple of 8 bytes. The caller owns the result.
func Encode(m Message) Raw {
	c := codec{}
	m.fields(&c)
	return Raw{MID: m.MID(), Body: append(c.data, make([]byte, padding(len(c.data)))...)}
}

// Decode reads the fields of a message. It returns a *SyntaxError if there are fewer bytes than fields or counts; an
// unknown MID gives an *Unknown. The result shares no memory with raw. Encode of it gives the bytes back, but for: a
// counted text without the NUL that the spec wants gets one; a message cut short gets its fields, as zeros.
//
// It does not judge values: constants that the spec demands are what players get wrong.
func Decode(raw Raw) (Message, error) {
	var m Message = &Unknown{ID: raw.MID}
	for _, k := range kinds {
		if k.id == raw.MID {
			m = k.make()
			break
		}
	}
	c := codec{reading: true, data: raw.Body}
	if m.fields(&c); c.fault != "" {
		return nil, &SyntaxError{Object: raw.MID.String(), Offset: int64(c.pos), What: c.fault}
	}
	return m, nil
}

// padding returns how many bytes n lacks to a multiple of 8.
func padding(n int) int { return -n & 7 }
