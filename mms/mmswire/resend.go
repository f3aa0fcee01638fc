package mmswire

import "encoding/binary"

// MaxResend is how many packets one ResendRequest can ask for ([MS-MMSP] 2.2.5).
const MaxResend = 32

const (
	resendSignature = 0xbeeff00d
	resendHeader    = 12
)

// ResendRequest is a RequestPacketListResend, a datagram by which a client asks for Data packets once more ([MS-MMSP]
// 2.2.5).
type ResendRequest struct {
	ClientID uint32   // NCubs of ReportFunnelInfo
	SourceID uint16   // lower half of OpenFileID of ReportOpenFile
	Packets  []uint32 // sequence numbers; their lowest 8 bits are AFFlags of the Data packets
}

// ParseResend reads a datagram. The caller owns the result.
func ParseResend(datagram []byte) (ResendRequest, error) {
	fail := func(at int64, what string) (ResendRequest, error) {
		return ResendRequest{}, &SyntaxError{Object: "resend request", Offset: at, What: what}
	}
	le := binary.LittleEndian
	switch {
	case len(datagram) < resendHeader:
		return fail(0, "shorter than its header")
	case le.Uint32(datagram) != resendSignature:
		return fail(0, "the signature is not 0xbeeff00d")
	}
	n := int(le.Uint16(datagram[10:]))
	switch {
	case n < 1 || n > MaxResend:
		return fail(10, "not 1 to 32 packets")
	case len(datagram) != resendHeader+4*n:
		return fail(10, "wNumPackets is not the number of packets")
	}
	r := ResendRequest{ClientID: le.Uint32(datagram[4:]), SourceID: le.Uint16(datagram[8:]), Packets: make([]uint32, n)}
	for i := range r.Packets {
		r.Packets[i] = le.Uint32(datagram[resendHeader+4*i:])
	}
	return r, nil
}

// AppendResend writes a request to the end of b. One for no packet or for more than MaxResend cannot be written; nothing
// is appended then.
func AppendResend(b []byte, r ResendRequest) []byte {
	if len(r.Packets) < 1 || len(r.Packets) > MaxResend {
		return b
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, resendSignature)
	b = le.AppendUint32(b, r.ClientID)
	b = le.AppendUint16(b, r.SourceID)
	b = le.AppendUint16(b, uint16(len(r.Packets)))
	for _, p := range r.Packets {
		b = le.AppendUint32(b, p)
	}
	return b
}
