package capture

import (
	"bufio"
	"encoding/binary"
	"io"
	"net/netip"

	"github.com/gopacket/gopacket"
)

// Blocks and options of pcapng (draft-ietf-opsawg-pcapng, sections 3.5 and 4). The writer of gopacket's pcapgo knows no
// comment of a packet and no names, so the blocks are written here, the packets in them by gopacket.
// maxWords is the most bytes of how a session ended: an option has 65535 at most, and why may have what came from outside.
const maxWords = 2048

const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockNames      = 4
	blockStatistics = 5
	blockPacket     = 6

	optionEnd     = 0
	optionComment = 1
	optionApp     = 4   // shb_userappl
	optionName    = 2   // if_name
	optionAbout   = 3   // if_description
	optionUnit    = 9   // if_tsresol
	optionIfDrop  = 5   // isb_ifdrop
	linkRaw       = 101 // an IP packet without a frame around it

	nameIPv4 = 1
	nameIPv6 = 2
)

// file writes one section with two interfaces. Its first error stays.
type file struct {
	w       *bufio.Writer
	buf     gopacket.SerializeBuffer
	snaplen int
	packets uint64
	bytes   int64
	err     error
}

func newFile(w io.Writer, snaplen int) *file {
	return &file{w: bufio.NewWriterSize(w, 32<<10), buf: gopacket.NewSerializeBuffer(), snaplen: snaplen}
}

// option appends one option. Its length is cut to what the field holds.
func option(b []byte, code uint16, value []byte) []byte {
	value = value[:min(len(value), 4096)]
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return padded(append(b, value...))
}

func padded(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (f *file) block(kind uint32, body []byte) {
	if f.err != nil {
		return
	}
	body = padded(body)
	var head []byte
	length := uint32(len(body) + 12)
	head = binary.LittleEndian.AppendUint32(head, kind)
	head = binary.LittleEndian.AppendUint32(head, length)
	for _, part := range [][]byte{head, body, binary.LittleEndian.AppendUint32(nil, length)} {
		if _, err := f.w.Write(part); err != nil {
			f.err = err
			return
		}
	}
	f.bytes += int64(length)
}

func (f *file) flush() {
	if f.err == nil {
		f.err = f.w.Flush()
	}
}

// begin writes the section and its interfaces.
func (f *file) begin(a *About) {
	b := binary.LittleEndian.AppendUint32(nil, 0x1a2b3c4d)
	b = append(b, 1, 0, 0, 0)                                     // version 1.0
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // of unknown length
	b = option(b, optionComment, []byte("session "+a.ID+", "+a.Protocol+", virtual server "+a.VirtualServer))
	b = option(b, optionApp, []byte("mediagate"))
	f.block(blockSection, option(b, optionEnd, nil))
	for _, side := range []Side{Client, Origin} {
		about := "between the gateway and the " + side.String()
		if side == Client && a.Clear != "" {
			about += "; " + a.Clear
		}
		b := binary.LittleEndian.AppendUint16(nil, linkRaw)
		b = append(b, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(f.snaplen))
		b = option(b, optionName, []byte(side.String()))
		b = option(b, optionAbout, []byte(about))
		b = option(b, optionUnit, []byte{9}) // nanoseconds
		f.block(blockInterface, option(b, optionEnd, nil))
	}
	f.flush()
}

// name says whose an address is.
func (f *file) name(addr netip.Addr, name string) {
	kind := uint16(nameIPv4)
	if addr = addr.Unmap(); addr.Is6() {
		kind = nameIPv6
	}
	value := append(append(addr.AsSlice(), name[:min(len(name), 255)]...), 0)
	b := option(nil, kind, value) // records have the form of options
	b = append(b, 0, 0, 0, 0)     // the last
	f.block(blockNames, b)
}

func (f *file) frame(fr *frame) {
	packet, err := fr.packet(f.buf)
	if err != nil {
		return // of a pipe, which has no address
	}
	kept := packet[:min(len(packet), f.snaplen)]
	at := uint64(fr.at.UnixNano())
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(fr.side))
	b = le.AppendUint32(b, uint32(at>>32))
	b = le.AppendUint32(b, uint32(at))
	b = le.AppendUint32(b, uint32(len(kept)))
	b = le.AppendUint32(b, uint32(len(packet)))
	b = padded(append(b, kept...))
	if fr.comment != "" {
		b = option(b, optionComment, []byte(fr.comment))
		b = option(b, optionEnd, nil)
	}
	f.block(blockPacket, b)
	f.packets++
}

// end writes how many packets there was no room for, and how the session ended, if it did.
func (f *file) end(lost uint64, words string) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(Client))
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // when is not said
	b = option(b, optionComment, []byte("packets of both sides that the capture had no room for"))
	if words != "" {
		b = option(b, optionComment, []byte(words[:min(len(words), maxWords)]))
	}
	b = option(b, optionIfDrop, le.AppendUint64(nil, lost))
	f.block(blockStatistics, option(b, optionEnd, nil))
	f.flush()
}
