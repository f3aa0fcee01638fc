package mmswire

// MID implements Message.
func (*ReportConnectedEX) MID() MID { return MIDReportConnectedEX }

func (m *ReportConnectedEX) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation, &m.MacToViewerProtocolRevision, &m.ViewerToMacProtocolRevision)
	c.f64(&m.BlockGroupPlayTime)
	c.u32(&m.BlockGroupBlocks, &m.NMaxOpenFiles, &m.NBlockMaxBytes, &m.MaxBitRate)
	texts := []*string{&m.ServerVersionInfo, &m.VersionInfo, &m.VersionURL, &m.AuthenPackage}
	var counts [4]uint32
	for i, text := range texts {
		counts[i] = uint32(len(countedText(*text)) / 2)
		c.u32(&counts[i])
	}
	for i, text := range texts {
		c.countedText(text, 2*int64(counts[i]))
	}
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportConnectedFunnel) MID() MID { return MIDReportConnectedFunnel }

func (m *ReportConnectedFunnel) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation, &m.PacketPayloadSize)
	c.lastText(&m.FunnelName, &m.Tail)
}

// MID implements Message.
func (*ReportDisconnectedFunnel) MID() MID { return MIDReportDisconnectedFunnel }

func (m *ReportDisconnectedFunnel) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportEndOfStream) MID() MID { return MIDReportEndOfStream }

func (m *ReportEndOfStream) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportFunnelInfo) MID() MID { return MIDReportFunnelInfo }

func (m *ReportFunnelInfo) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation, &m.TransportMask, &m.NBlockFragments, &m.FragmentBytes, &m.NCubs)
	c.u32(&m.FailedCubs, &m.NDisks, &m.Decluster, &m.CubddDatagramSize)
	size := len(m.PacketPair)
	if c.reading {
		size = c.left()
	}
	c.bytes(&m.PacketPair, int64(size))
}

// MID implements Message.
func (*ReportOpenFile) MID() MID { return MIDReportOpenFile }

func (m *ReportOpenFile) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation, &m.OpenFileID, &m.Padding, &m.FileName, &m.FileAttributes)
	c.f64(&m.FileDuration)
	c.u32(&m.FileBlocks)
	c.fixed(m.Unused1[:])
	c.u32(&m.FilePacketSize)
	c.u64(&m.FilePacketCount)
	c.u32(&m.FileBitRate, &m.FileHeaderSize)
	c.unused(m.Unused2[:])
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportReadBlock) MID() MID { return MIDReportReadBlock }

func (m *ReportReadBlock) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation, &m.PlaySequence)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportRedirect) MID() MID { return MIDReportRedirect }

// maxLocation is what cbLocation can count.
const maxLocation = 1<<16 - 2

// fields obeys [MS-MMSP] 2.2.4.9: the count is in bytes, and an empty Location is a NUL too.
func (m *ReportRedirect) fields(c *codec) {
	location := orNUL(m.Location)
	if len(countedText(location)) > maxLocation {
		location = parseText(appendText(nil, location)[:maxLocation-2])
	}
	size := uint16(len(countedText(location)))
	c.hr(&m.HR)
	c.u16(&m.RedirectType, &size)
	c.countedText(&location, int64(size))
	if c.reading {
		m.Location = notNUL(location)
	}
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportStartedPlaying) MID() MID { return MIDReportStartedPlaying }

func (m *ReportStartedPlaying) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation, &m.TigerFileID, &m.Unused1)
	c.unused(m.Unused2[:])
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportStartStriding) MID() MID { return MIDReportStartStriding }

func (m *ReportStartStriding) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.PlayIncarnation, &m.Spare)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportStreamChange) MID() MID { return MIDReportStreamChange }

func (m *ReportStreamChange) fields(c *codec) {
	c.hr(&m.HR)
	c.u32(&m.TCPHdrIncarnation, &m.PacketSize, &m.HeaderSize, &m.BitRate, &m.StreamID)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReportStreamSwitch) MID() MID { return MIDReportStreamSwitch }

func (m *ReportStreamSwitch) fields(c *codec) {
	c.hr(&m.HR)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*SecurityChallenge) MID() MID { return MIDSecurityChallenge }

func (m *SecurityChallenge) fields(c *codec) {
	size := uint32(len(m.Token))
	c.u32(&m.PlayIncarnation, &m.Cookie, &size)
	c.bytes(&m.Token, int64(size))
	c.tail(&m.Tail)
}

// MID implements Message.
func (*Ping) MID() MID { return MIDPing }

func (m *Ping) fields(c *codec) {
	c.u32(&m.Param1, &m.Param2)
	c.tail(&m.Tail)
}
