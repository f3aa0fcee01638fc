package rtspwire

// The limits a Reader applies where the given Limits say nothing.
//
// They are wide enough for what is seen: Negotiate tokens of several KiB in one field, an SDP that carries whole ASF
// headers as data URLs ([MS-RTSP] 2.2.5.2.3), and more than one Cookie.
const (
	DefaultLine    = 16 << 10
	DefaultField   = 64 << 10
	DefaultHeader  = 256 << 10
	DefaultFields  = 256
	DefaultBody    = 4 << 20
	DefaultGarbage = 64 << 10
)

// Limits bound what one message may make a Reader hold. Each is charged while bytes arrive, before they are kept. A
// value of zero or less means the default of the same name.
type Limits struct {
	Line    int // bytes of a request line or status line
	Field   int // bytes of one field, folds included
	Header  int // bytes from the start line to the empty line
	Fields  int // fields of one message
	Body    int // bytes of one body
	Garbage int // bytes in a row that belong to no message and no frame
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Line, DefaultLine)
	set(&l.Field, DefaultField)
	set(&l.Header, DefaultHeader)
	set(&l.Fields, DefaultFields)
	set(&l.Body, DefaultBody)
	set(&l.Garbage, DefaultGarbage)
	return l
}
