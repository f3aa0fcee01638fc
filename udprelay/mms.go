package udprelay

import "encoding/binary"

// What the relay reads of MMS over UDP. All fields are little-endian ([MS-MMSP] 2.2).
const (
	// [MS-MMSP] 2.2.2, Data: LocationId 4 bytes, playIncarnation 1, AFFlags 1, PacketSize 2, payload.
	mmsData = 8
	// [MS-MMSP] 2.2.5, RequestPacketListResend: Signature 4 bytes, dwClientId 4, wSourceId 2, wNumPackets 2, then
	// dwBeginPacketList, 4 each.
	mmsResend      = 12
	mmsResendSign  = 0xBEEFF00D
	maxMMSResend   = 32 // [MS-MMSP] 2.2.5: 1 to 32, inclusive
	mmsResendEntry = 4
)

// isMMSData reports whether a datagram is one Data packet.
//
// [MS-MMSP] 2.2.2: PacketSize MUST be set to the total size of the Data packet in bytes.
func isMMSData(b []byte) bool {
	return len(b) >= mmsData && int(binary.LittleEndian.Uint16(b[6:])) == len(b)
}

// isMMSPair reports whether a Data packet is one of a packet pair, whose spacing is what counts.
//
// [MS-MMSP] 2.2.2: the value 0xFF MUST be used if the Data packet contains a packet-pair packet; AFFlags MUST be 0x10.
func isMMSPair(b []byte) bool { return len(b) >= mmsData && b[4] == 0xff && b[5] == 0x10 }

func mmsLocation(b []byte) uint32  { return binary.LittleEndian.Uint32(b) }
func mmsIncarnation(b []byte) byte { return b[4] }
func mmsSequence(b []byte) uint8   { return b[5] } // AFFlags, of a packet with an ASF data packet

// isMMSResend reports whether a datagram calls itself a resend request. Neither RTP nor RTCP begins so: their version
// is 2, and this would be 0.
func isMMSResend(b []byte) bool {
	return len(b) >= mmsResend && binary.LittleEndian.Uint32(b) == mmsResendSign
}

// mmsResendList is the list of a resend request, 4 bytes for each packet; ok is false if it is none of the
// specification's. Bytes after the list are the origin's to judge, up to what a full list would have.
//
// [MS-MMSP] 2.2.5: wNumPackets MUST be in the range 1 to 32 and equal to the number of elements.
func mmsResendList(b []byte) (list []byte, ok bool) {
	n := int(binary.LittleEndian.Uint16(b[10:]))
	end := mmsResend + n*mmsResendEntry
	if n < 1 || n > maxMMSResend || len(b) < end || len(b) > mmsResend+maxMMSResend*mmsResendEntry {
		return nil, false
	}
	return b[mmsResend:end], true
}

func mmsClientID(b []byte) uint32        { return binary.LittleEndian.Uint32(b[4:]) }
func putMMSClientID(b []byte, id uint32) { binary.LittleEndian.PutUint32(b[4:], id) }

// mmsAsked is the AFFlags that a packet of a list carries.
//
// [MS-MMSP] 2.2.5: AFFlags specifies the least-significant 8 bits of the sequence number.
func mmsAsked(entry []byte) uint8 { return entry[0] }
