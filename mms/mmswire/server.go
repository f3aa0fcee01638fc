package mmswire

// Flags of ReportOpenFile.FileAttributes ([MS-MMSP] 2.2.4.7).
const (
	AttributeCanStride = 0x00800000
	AttributeCanSeek   = 0x01000000
	AttributeBroadcast = 0x02000000
	AttributeLive      = 0x04000000
	AttributePlaylist  = 0x40000000
)

// ReportConnectedEX answers Connect ([MS-MMSP] 2.2.4.2). The counts of the four strings are written from the strings: ""
// is a string that is not there, with a count of 0, any other is followed by a NUL that is counted.
type ReportConnectedEX struct {
	HR                          uint32
	PlayIncarnation             uint32
	MacToViewerProtocolRevision uint32
	ViewerToMacProtocolRevision uint32
	BlockGroupPlayTime          float64
	BlockGroupBlocks            uint32
	NMaxOpenFiles               uint32
	NBlockMaxBytes              uint32
	MaxBitRate                  uint32
	ServerVersionInfo           string
	VersionInfo                 string
	VersionURL                  string
	AuthenPackage               string
	Tail
}

// ReportConnectedFunnel grants ConnectFunnel ([MS-MMSP] 2.2.4.3).
type ReportConnectedFunnel struct {
	HR                uint32
	PlayIncarnation   uint32
	PacketPayloadSize uint32
	FunnelName        string // "Funnel Of The Gods"
	Tail
}

// ReportDisconnectedFunnel refuses ConnectFunnel ([MS-MMSP] 2.2.4.4).
type ReportDisconnectedFunnel struct {
	HR              uint32
	PlayIncarnation uint32
	Tail
}

// ReportEndOfStream tells of the end, or answers StopPlaying ([MS-MMSP] 2.2.4.5).
type ReportEndOfStream struct {
	HR              uint32
	PlayIncarnation uint32
	Tail
}

// ReportFunnelInfo answers FunnelInfo ([MS-MMSP] 2.2.4.6).
type ReportFunnelInfo struct {
	HR                uint32
	PlayIncarnation   uint32
	TransportMask     uint32
	NBlockFragments   uint32
	FragmentBytes     uint32
	NCubs             uint32 // the client's identifier in resend requests
	FailedCubs        uint32
	NDisks            uint32
	Decluster         uint32
	CubddDatagramSize uint32
	PacketPair        []byte // the rest of the message, nil for none
}

// ReportOpenFile answers OpenFile ([MS-MMSP] 2.2.4.7).
type ReportOpenFile struct {
	HR              uint32
	PlayIncarnation uint32
	OpenFileID      uint32 // Observed: VLC takes it for a status and gives up unless it is 1 or 2
	Padding         uint32
	FileName        uint32
	FileAttributes  uint32
	FileDuration    float64 // seconds
	FileBlocks      uint32  // seconds
	Unused1         [16]byte
	FilePacketSize  uint32 // bytes
	FilePacketCount uint64
	FileBitRate     uint32 // bits per second
	FileHeaderSize  uint32 // bytes
	Unused2         [36]byte
	Tail
}

// ReportReadBlock answers ReadBlock ([MS-MMSP] 2.2.4.8).
type ReportReadBlock struct {
	HR              uint32
	PlayIncarnation uint32
	PlaySequence    uint32
	Tail
}

// ReportRedirect sends the client elsewhere ([MS-MMSP] 2.2.4.9).
type ReportRedirect struct {
	HR           uint32
	RedirectType uint16 // 1: another URL, 2: another proxy
	Location     string // a URL, cut to 32766 characters when written; "" with type 2: no proxy
	Tail
}

// ReportStartedPlaying answers StartPlaying ([MS-MMSP] 2.2.4.10).
type ReportStartedPlaying struct {
	HR              uint32
	PlayIncarnation uint32
	TigerFileID     uint32
	Unused1         uint32
	Unused2         [12]byte
	Tail
}

// ReportStartStriding answers StartStriding ([MS-MMSP] 2.2.4.11).
type ReportStartStriding struct {
	HR              uint32
	PlayIncarnation uint32
	Spare           uint32
	Tail
}

// ReportStreamChange announces the next entry of a playlist ([MS-MMSP] 2.2.4.12).
type ReportStreamChange struct {
	HR                uint32
	TCPHdrIncarnation uint32
	PacketSize        uint32 // bytes
	HeaderSize        uint32 // bytes
	BitRate           uint32 // bits per second
	StreamID          uint32
	Tail
}

// ReportStreamSwitch answers StreamSwitch ([MS-MMSP] 2.2.4.13).
type ReportStreamSwitch struct {
	HR uint32
	Tail
}

// SecurityChallenge asks for credentials ([MS-MMSP] 2.2.4.14).
type SecurityChallenge struct {
	PlayIncarnation uint32
	Cookie          uint32
	Token           []byte
	Tail
}

// Ping asks whether the client is there ([MS-MMSP] 2.2.4.1).
type Ping struct {
	Param1 uint32
	Param2 uint32
	Tail
}
