package decode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// traceMagic begins the first line of a trace, and of a file of the flight recorder (docs/capture.md).
const traceMagic = "mediagate trace "

// traceMessage is more than such a file has of one message, and fits an IP packet.
const traceMessage = 60 << 10

// trace gives the messages of such a file as TCP segments, as if they had been captured: what reads captures then reads
// them. What it tells of packets of media is passed over: they are heads only, and not all.
type trace struct {
	r     *bufio.Reader
	lines int
	held  string // a line that was read ahead
	holds bool
	seq   map[[2]netip.AddrPort]uint32
	ready []packet
	told  string // how the session ended that the file is of
}

func newTrace(r *bufio.Reader) (*trace, error) {
	t := &trace{r: r, seq: make(map[[2]netip.AddrPort]uint32)}
	if line, err := t.line(); err != nil || line != traceMagic+"1" {
		return nil, fmt.Errorf("%w: a trace of a version that is not read", ErrFormat)
	}
	return t, nil
}

func (t *trace) interfaces() []Interface {
	return []Interface{{Name: "client", Link: linkName(linkRaw)}, {Name: "origin", Link: linkName(linkRaw)}}
}

// line is the next line without its end. One that is longer than the reader's buffer is damage.
func (t *trace) line() (string, error) {
	if t.holds {
		t.holds = false
		return t.held, nil
	}
	b, err := t.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", cutf("line %d is too long: the file is damaged there", t.lines+1)
	case errors.Is(err, io.EOF) && len(b) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	t.lines++
	return string(b[:len(b)-1]), nil
}

func (t *trace) next() (packet, error) {
	for len(t.ready) == 0 {
		line, err := t.line()
		if err != nil {
			return packet{}, err
		}
		for _, word := range []string{"end: ", "why: "} {
			if value, ok := strings.CutPrefix(line, word); ok && len(t.seq) == 0 {
				t.told = strings.TrimPrefix(t.told+": "+clean(value, 2048), ": ")
			}
		}
		if !strings.HasPrefix(line, "@ ") || !strings.Contains(line, " message, ") {
			continue
		}
		if err := t.message(line); err != nil {
			return packet{}, err
		}
	}
	k := t.ready[0]
	t.ready = t.ready[1:]
	return k, nil
}

// message reads one message: "@ TIME SIDE WAY FROM TO message, N bytes", then its lines.
func (t *trace) message(head string) error {
	words := strings.Fields(head)
	if len(words) != 9 {
		return cutf("line %d is no message: the file is damaged there", t.lines)
	}
	at, errAt := time.Parse(time.RFC3339Nano, words[1])
	from, errFrom := netip.ParseAddrPort(words[4])
	to, errTo := netip.ParseAddrPort(words[5])
	if errAt != nil || errFrom != nil || errTo != nil || from.Addr().Is4() != to.Addr().Is4() {
		return cutf("line %d is no message: the file is damaged there", t.lines)
	}
	iface := 0
	if words[2] == "origin" {
		iface = 1
	}
	body, missing, err := t.body()
	if err != nil {
		return err
	}
	way, back := [2]netip.AddrPort{from, to}, [2]netip.AddrPort{to, from}
	add := func(way, back [2]netip.AddrPort, flags byte, payload []byte) {
		b := tcpPacket(way[0], way[1], t.seq[way], t.seq[back], flags, payload)
		t.ready = append(t.ready, packet{at: at, iface: iface, link: linkRaw, data: b, full: len(b)})
	}
	if _, known := t.seq[way]; !known { // the one that speaks first has called, as a rule
		add(way, back, flagSYN, nil)
		t.seq[way] = 1
		add(back, way, flagSYN|flagACK, nil)
		t.seq[back] = 1
	}
	add(way, back, flagACK, body)
	t.seq[way] += uint32(len(body) + missing)
	return nil
}

// body reads the lines of a message, up to the first that is none, and how many bytes the file lacks of it.
func (t *trace) body() (body []byte, missing int, err error) {
	for {
		line, err := t.line()
		if errors.Is(err, io.EOF) {
			return body, missing, nil
		}
		if err != nil {
			return nil, 0, err
		}
		mark, text, _ := strings.Cut(line, " ")
		switch mark {
		case "|":
			body = append(append(body, text...), "\r\n"...)
		case "/":
			body = append(append(body, text...), '\n')
		case ".":
			body = append(body, text...)
		case "#":
			b, err := hex.DecodeString(text)
			if err != nil {
				return nil, 0, cutf("line %d is no bytes: the file is damaged there", t.lines)
			}
			body = append(body, b...)
		case "cut:":
			if _, err := fmt.Sscanf(text, "%d bytes more", &missing); err != nil || missing < 0 || missing > 1<<30 {
				return nil, 0, cutf("line %d is no number: the file is damaged there", t.lines)
			}
		default:
			t.held, t.holds = line, true
			return body, missing, nil
		}
		if len(body) > traceMessage {
			return nil, 0, cutf("the message that ends at line %d is too long: the file is damaged there", t.lines)
		}
	}
}

// tcpPacket makes an IP packet with one segment. Nobody here looks at checksums.
func tcpPacket(from, to netip.AddrPort, seq, ack uint32, flags byte, payload []byte) []byte {
	be := binary.BigEndian
	var b []byte
	if length := 20 + len(payload); from.Addr().Is4() {
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, uint16(20+length))
		b = append(b, 0, 0, 0x40, 0, 64, protoTCP, 0, 0)
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = be.AppendUint16(b, uint16(length))
		b = append(b, protoTCP, 64)
	}
	b = append(b, from.Addr().AsSlice()...)
	b = append(b, to.Addr().AsSlice()...)
	b = be.AppendUint16(b, from.Port())
	b = be.AppendUint16(b, to.Port())
	b = be.AppendUint32(b, seq)
	b = be.AppendUint32(b, ack)
	b = append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, payload...)
}

// isTrace says that a file begins as a trace does.
func isTrace(head []byte) bool { return bytes.Equal(head, []byte(traceMagic)) }
