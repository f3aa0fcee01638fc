package decode

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The first four bytes of a pcap file (draft-ietf-opsawg-pcap, section 4).
const (
	magicMicro = 0xa1b2c3d4
	magicNano  = 0xa1b23c4d
)

// pcap is a file of the older kind: one interface, one link type.
type pcap struct {
	filler
	order binary.ByteOrder
	nano  bool
	link  uint32
	limit int
	count int
}

func newPcap(r *bufio.Reader, lim Limits) (*pcap, error) {
	p := &pcap{filler: filler{r: r}, limit: lim.Packet}
	head, err := p.take(24)
	if errors.Is(err, io.ErrUnexpectedEOF) && len(head) < 4 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("decode: read file: %w", err)
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(head); m == magicMicro || m == magicNano {
			p.order, p.nano = order, m == magicNano
		}
	}
	switch {
	case p.order == nil:
		return nil, fmt.Errorf("%w: it begins with %x", ErrFormat, head[:4])
	case err != nil:
		return nil, fmt.Errorf("%w: its header is cut off", ErrFormat)
	}
	p.link = p.order.Uint32(head[20:]) & 0xffff // above it: the length of a frame check sequence
	return p, nil
}

func (p *pcap) interfaces() []Interface { return []Interface{{Link: linkName(p.link)}} }

func (p *pcap) next() (packet, error) {
	head, err := p.take(16)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		if len(head) == 0 {
			return packet{}, io.EOF
		}
		return packet{}, cutf("the file ends within the header of packet %d", p.count+1)
	}
	if err != nil {
		return packet{}, err
	}
	p.count++
	nanos := uint64(p.order.Uint32(head[4:]))
	if !p.nano {
		nanos *= 1000
	}
	k := packet{at: stamp(uint64(p.order.Uint32(head)), nanos), link: p.link}
	n, full := p.order.Uint32(head[8:]), p.order.Uint32(head[12:])
	if n > uint32(p.limit) {
		return packet{}, cutf("packet %d has %d bytes: the file is damaged there", p.count, n)
	}
	k.full = int(max(n, min(full, 1<<20)))
	if k.data, err = p.take(int(n)); errors.Is(err, io.ErrUnexpectedEOF) {
		return packet{}, cutf("the file ends within packet %d", p.count)
	}
	return k, err
}
