package asf

import "encoding/binary"

const (
	objectHeader     = 24 // GUID and size; ASF specification, section 2.1
	headerHeader     = 30 // object header, number of objects, two reserved bytes; section 3.1
	dataHeader       = 50 // object header, file ID, total packets, two reserved bytes; section 5.1
	fileProperties   = 104
	flagBroadcast    = 1
	minPacket        = 100   // no real writer makes smaller ones
	maxPacket        = 64000 // its length must fit into a field of two bytes
	maxHeaderObjects = 4096
)

// File is an ASF file in memory. Its fields must not be changed.
type File struct {
	Info
	// Packets are the data packets, each PacketSize bytes, pointing into what Parse was given. A file that ends inside
	// its last packet has one less.
	Packets [][]byte
}

// Info is what an ASF header says.
type Info struct {
	// Header is the header object and, if it was there, the data object's own 50 bytes: what a player needs before
	// the first packet.
	Header []byte
	// PacketSize is the size of every data packet in bytes, 100 to 64000.
	PacketSize int
	// Duration is the playing time and Preroll the time to buffer first, in milliseconds.
	Duration, Preroll uint64
	// PacketCount is the number of packets the header promises; a broadcast's is not valid.
	PacketCount uint64
	// Bitrate is the highest bit rate in bits per second.
	Bitrate uint32
	// Broadcast tells that the header was written before the end was known.
	Broadcast bool
	// Streams are in the order of the header.
	Streams []Stream

	properties int // where in Header the file properties object is
}

// Parse reads a whole file. It copies nothing: file must stay as it is.
func Parse(file []byte) (*File, error) {
	info, err := ParseHeader(file)
	if err != nil {
		return nil, err
	}
	rest := file[len(info.Header):]
	if len(info.Header) == headerSize(file) {
		return nil, fault(len(info.Header), "data object", "is missing")
	}
	f := &File{Info: *info, Packets: make([][]byte, 0, len(rest)/info.PacketSize)}
	if size := binary.LittleEndian.Uint64(info.Header[len(info.Header)-dataHeader+16:]); size >= dataHeader {
		// What follows the packets, an index mostly, is no packet. 0 is the size of a file still being written.
		rest = rest[:min(uint64(len(rest)), size-dataHeader)]
	}
	for ; len(rest) >= info.PacketSize; rest = rest[info.PacketSize:] {
		f.Packets = append(f.Packets, rest[:info.PacketSize:info.PacketSize])
	}
	return f, nil
}

// headerSize is the size of the header object that b begins with, or 0.
func headerSize(b []byte) int {
	if len(b) < headerHeader || guid(b[:16]) != guidHeader {
		return 0
	}
	size := binary.LittleEndian.Uint64(b[16:])
	if size < headerHeader || size > uint64(len(b)) {
		return 0
	}
	return int(size)
}

// ParseHeader reads the header that b begins with, with the data object's header if that follows. It copies nothing.
func ParseHeader(b []byte) (*Info, error) {
	end := headerSize(b)
	if end == 0 {
		return nil, fault(0, "header object", "%d bytes hold none", len(b))
	}
	info := &Info{Header: b[:end:end]}
	if err := info.objects(); err != nil {
		return nil, err
	}
	if info.PacketSize == 0 {
		return nil, fault(end, "header object", "no file properties")
	}
	if len(info.Streams) == 0 {
		return nil, fault(end, "header object", "no streams")
	}
	if len(b) >= end+dataHeader && guid(b[end:end+16]) == guidData {
		info.Header = b[: end+dataHeader : end+dataHeader]
	}
	return info, nil
}

// objects walks over the objects of the header.
func (i *Info) objects() error {
	h := i.Header
	at := headerHeader
	for n := 0; at < len(h); n++ {
		if n == maxHeaderObjects || len(h)-at < objectHeader {
			return fault(at, "header object", "does not end with an object")
		}
		size := binary.LittleEndian.Uint64(h[at+16:])
		if size < objectHeader || size > uint64(len(h)-at) {
			return fault(at, "header object", "an object of %d bytes in %d", size, len(h)-at)
		}
		body := h[at : at+int(size)]
		var err error
		switch guid(body[:16]) {
		case guidFile:
			err = i.fileProperties(body, at)
		case guidStream:
			err = i.streamProperties(body, at)
		}
		if err != nil {
			return err
		}
		at += int(size)
	}
	return nil
}

// fileProperties reads the object of ASF specification, section 3.2.
func (i *Info) fileProperties(b []byte, at int) error {
	if len(b) < fileProperties {
		return fault(at, "file properties", "%d bytes", len(b))
	}
	if i.PacketSize != 0 {
		return fault(at, "file properties", "there twice")
	}
	le := binary.LittleEndian
	i.properties = at
	i.PacketCount = le.Uint64(b[56:])
	i.Preroll = le.Uint64(b[80:])
	i.Broadcast = le.Uint32(b[88:])&flagBroadcast != 0
	i.Bitrate = le.Uint32(b[100:])
	if play := le.Uint64(b[64:]) / 10000; play > i.Preroll {
		i.Duration = play - i.Preroll // the field counts the preroll in
	}
	smallest, biggest := le.Uint32(b[92:]), le.Uint32(b[96:])
	if smallest != biggest && smallest != 0 || biggest < minPacket || biggest > maxPacket {
		return fault(at+92, "file properties", "packets of %d to %d bytes", smallest, biggest)
	}
	i.PacketSize = int(biggest)
	return nil
}

// SetBroadcast returns a copy of the header with the broadcast flag set or cleared: with it, a player does not expect
// the packet count and the duration to be true. ASF specification, section 3.2.
func (i *Info) SetBroadcast(on bool) []byte {
	h := append([]byte(nil), i.Header...)
	h[i.properties+88] &^= flagBroadcast
	if on {
		h[i.properties+88] |= flagBroadcast
	}
	return h
}

// SetPackets returns a copy of the header that promises n packets, in the file properties as well as in the data
// object's header, which is added if it is not there. Header and n packets are a whole file.
func (i *Info) SetPackets(n uint64) []byte {
	h := append([]byte(nil), i.Header...)
	at := headerSize(h)
	if len(h) == at {
		h = append(append(h, guidData[:]...), make([]byte, dataHeader-16)...)
		copy(h[at+24:], h[i.properties+24:i.properties+40]) // the file's ID
		h[at+48], h[at+49] = 1, 1
	}
	le := binary.LittleEndian
	le.PutUint64(h[at+16:], dataHeader+n*uint64(i.PacketSize))
	le.PutUint64(h[at+40:], n)
	le.PutUint64(h[i.properties+40:], uint64(len(h))+n*uint64(i.PacketSize))
	le.PutUint64(h[i.properties+56:], n)
	return h
}
