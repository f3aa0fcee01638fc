package mmswire

import "encoding/binary"

// DataHeaderSize is how many bytes a Data packet has before its payload, MaxPayload how many it can have in it.
const (
	DataHeaderSize = 8
	MaxPayload     = 1<<16 - 1 - DataHeaderSize
)

const packetPairLocation = 0xf0f0f000 // of the first packet of a pair; the second is one more

// Data is a Data packet ([MS-MMSP] 2.2.2), over TCP or one datagram.
type Data struct {
	LocationID      uint32 // number of the ASF data packet, or of the piece of the ASF file header
	PlayIncarnation uint8
	AFFlags         uint8 // of ASF data: a sequence number; of a header: 4, 12 for its last piece; of a packet pair: 16
	Payload         []byte
	raw             []byte
}

func (*Data) item() {}

// Bytes returns the whole packet as it was read, nil for one that was not read. It is valid as long as Payload: until
// the next Read of the Reader, or as long as the datagram given to ParseData.
func (d *Data) Bytes() []byte { return d.raw }

// IsPacketPair reports whether the packet only measures bandwidth and has no content.
func (d *Data) IsPacketPair() bool {
	return d.PlayIncarnation == 0xff && d.LocationID&^1 == packetPairLocation
}

// ParseData reads a datagram, which must be one Data packet and nothing else: PacketSize is its length. The result
// shares its memory; nothing is allocated.
func ParseData(datagram []byte) (Data, error) {
	switch {
	case len(datagram) < DataHeaderSize:
		return Data{}, &SyntaxError{Object: "data packet", What: "shorter than its header"}
	case int(binary.LittleEndian.Uint16(datagram[6:])) != len(datagram):
		return Data{}, &SyntaxError{Object: "data packet", Offset: 6, What: "PacketSize is not its length"}
	}
	return parseData(datagram), nil
}

// parseData reads a packet whose length is right.
func parseData(b []byte) Data {
	return Data{
		LocationID: binary.LittleEndian.Uint32(b), PlayIncarnation: b[4], AFFlags: b[5],
		Payload: b[DataHeaderSize:len(b):len(b)], raw: b[:len(b):len(b)],
	}
}

// AppendData writes a Data packet to the end of b. A payload over MaxPayload cannot be written; nothing is appended then.
func AppendData(b []byte, d Data) []byte {
	if len(d.Payload) > MaxPayload {
		return b
	}
	b = binary.LittleEndian.AppendUint32(b, d.LocationID)
	b = append(b, d.PlayIncarnation, d.AFFlags)
	b = binary.LittleEndian.AppendUint16(b, uint16(DataHeaderSize+len(d.Payload)))
	return append(b, d.Payload...)
}
