package mmswire

// What the spec wants in fields that say whether packet pairs are sent ([MS-MMSP] 2.2.4.2, 2.2.4.6, 2.2.4.17, 2.2.4.19).
const (
	DisablePacketPair        = 0xf0f0f0ef
	UsePacketPair            = 0xf0f0f0f0
	PacketPairTCPHighEntropy = 0xf0f0f0f1
	PacketPairUDPHighEntropy = 0xf0f0f901
)

// The only revisions of the protocol ([MS-MMSP] 2.2.4.17).
const (
	MacToViewerRevision = 0x0004000b
	ViewerToMacRevision = 0x0003001c
)

// Connect asks for a connection ([MS-MMSP] 2.2.4.17). Observed: every player of Debian 12 sends PlayIncarnation 0, which
// the spec does not have.
type Connect struct {
	PlayIncarnation             uint32
	MacToViewerProtocolRevision uint32
	ViewerToMacProtocolRevision uint32
	SubscriberName              string // several strings with a NUL between them, see Subscriber; without the last NUL
	Tail
}

// ConnectFunnel names the socket that wants Data packets ([MS-MMSP] 2.2.4.18).
type ConnectFunnel struct {
	PlayIncarnation uint32
	MaxBlockBytes   uint32
	MaxFunnelBytes  uint32
	MaxBitRate      uint32
	FunnelMode      uint32
	FunnelName      string // see ParseFunnelName; Observed: VLC has a "0" after the NUL
	Tail
}

// OpenFile names the content ([MS-MMSP] 2.2.4.21).
type OpenFile struct {
	PlayIncarnation uint32
	Spare           uint32
	Token           uint32 // offset of TokenData in bytes from FileName; counted anew when written, if there is TokenData
	FileName        string // a path without a leading slash; Observed: some players leave percent encoding in it
	TokenData       []byte // credentials, nil for none
	Tail
}

// ReadBlock asks for the ASF file header ([MS-MMSP] 2.2.4.23).
type ReadBlock struct {
	OpenFileID      uint32
	FileBlockID     uint32
	Offset          uint32
	Length          uint32
	Flags           uint32
	Padding         uint32
	TEarliest       float64 // seconds
	TDeadline       float64 // seconds
	PlayIncarnation uint32
	PlaySequence    uint32
	Tail
}

// StartPlaying asks for Data packets ([MS-MMSP] 2.2.4.25).
type StartPlaying struct {
	OpenFileID      uint32
	Padding         uint32
	Position        float64 // seconds, or math.MaxFloat64
	AsfOffset       uint32  // bytes from the beginning of the file; 0 and 0xffffffff: none
	LocationID      uint32  // number of an ASF data packet; 0 and 0xffffffff: none
	FrameOffset     uint32  // milliseconds at which to stop, 0 for the end; highest bit: from the start position
	PlayIncarnation uint32
	Optional        int    // how many of the three below are in the message: 0, 2 or 3
	AccelBandwidth  uint32 // bits per second
	AccelDuration   uint32 // milliseconds
	LinkBandwidth   uint32 // bits per second
	Tail
}

// StartStriding asks for Data packets at another speed ([MS-MMSP] 2.2.4.26).
type StartStriding struct {
	OpenFileID      uint32
	Padding         uint32
	Position        float64 // as in StartPlaying
	AsfOffset       uint32
	LocationID      uint32
	FrameOffset     uint32
	PlayIncarnation uint32
	Rate            float64 // -5 to 5, not 0
	Tail
}

// StopPlaying ends the Data packets ([MS-MMSP] 2.2.4.27).
type StopPlaying struct {
	OpenFileID      uint32
	PlayIncarnation uint32
	Tail
}

// CloseFile ends the session ([MS-MMSP] 2.2.4.16).
type CloseFile struct {
	PlayIncarnation uint32
	OpenFileID      uint32
	Tail
}

// FunnelInfo asks for an identifier for resend requests ([MS-MMSP] 2.2.4.19).
type FunnelInfo struct {
	PlayIncarnation uint32
	Tail
}

// SecurityResponse has the credentials that were asked for ([MS-MMSP] 2.2.4.24).
type SecurityResponse struct {
	PlayIncarnation uint32
	Cookie          uint32
	Token           []byte
	Tail
}

// Pong answers a Ping ([MS-MMSP] 2.2.4.22).
type Pong struct {
	Param1 uint32
	Param2 uint32
	Tail
}

// CancelReadBlock takes a ReadBlock back ([MS-MMSP] 2.2.4.15).
type CancelReadBlock struct {
	PlayIncarnation uint32
	Tail
}

// Logging reports what the player received ([MS-MMSP] 2.2.4.20).
type Logging struct {
	Log []byte // a CLIENT_LOG, see ParseClientLog
	Tail
}

// StreamSwitch selects streams ([MS-MMSP] 2.2.4.28).
type StreamSwitch struct {
	Entries []StreamSwitchEntry
	Tail
}

// StreamSwitchEntry replaces the stream Src by Dst; 0xffff in either is no stream ([MS-MMSP] 2.2.4.28.1).
type StreamSwitchEntry struct {
	Src      uint16
	Dst      uint16
	Thinning uint16 // 0 all of Dst, 1 key frames, 2 nothing
}
