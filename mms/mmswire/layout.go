package mmswire

// MID implements Message.
func (*Connect) MID() MID { return MIDConnect }

func (m *Connect) fields(c *codec) {
	c.u32(&m.PlayIncarnation, &m.MacToViewerProtocolRevision, &m.ViewerToMacProtocolRevision)
	c.lastText(&m.SubscriberName, &m.Tail)
}

// MID implements Message.
func (*ConnectFunnel) MID() MID { return MIDConnectFunnel }

func (m *ConnectFunnel) fields(c *codec) {
	c.u32(&m.PlayIncarnation, &m.MaxBlockBytes, &m.MaxFunnelBytes, &m.MaxBitRate, &m.FunnelMode)
	c.lastText(&m.FunnelName, &m.Tail)
}

// MID implements Message.
func (*OpenFile) MID() MID { return MIDOpenFile }

// fields obeys [MS-MMSP] 2.2.4.21: token is an offset from FileName, and a FileName before TokenData ends with a NUL.
func (m *OpenFile) fields(c *codec) {
	name, token, size := m.FileName, m.Token, uint32(len(m.TokenData))
	if size > 0 && !c.reading {
		name = orNUL(name)
		token = uint32(len(countedText(name)))
	}
	c.u32(&m.PlayIncarnation, &m.Spare, &token, &size)
	if size == 0 {
		m.Token = token
		c.lastText(&m.FileName, &m.Tail)
		return
	}
	c.countedText(&name, int64(token))
	if c.reading {
		m.FileName, m.Token = notNUL(name), token
	}
	c.bytes(&m.TokenData, int64(size))
	c.tail(&m.Tail)
}

// MID implements Message.
func (*ReadBlock) MID() MID { return MIDReadBlock }

func (m *ReadBlock) fields(c *codec) {
	c.u32(&m.OpenFileID, &m.FileBlockID, &m.Offset, &m.Length, &m.Flags, &m.Padding)
	c.f64(&m.TEarliest)
	c.f64(&m.TDeadline)
	c.u32(&m.PlayIncarnation, &m.PlaySequence)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*StartPlaying) MID() MID { return MIDStartPlaying }

// fields obeys [MS-MMSP] 2.2.4.25. Padding makes the fields that are optional whole: 8 bytes are two of them, 12 with 4
// of padding are all three.
func (m *StartPlaying) fields(c *codec) {
	c.u32(&m.OpenFileID, &m.Padding)
	c.f64(&m.Position)
	c.u32(&m.AsfOffset, &m.LocationID, &m.FrameOffset, &m.PlayIncarnation)
	if c.reading {
		m.Optional = [...]int{0, 2, 3}[min(c.left()/8, 2)]
	}
	if m.Optional >= 2 {
		c.u32(&m.AccelBandwidth, &m.AccelDuration)
	}
	if m.Optional >= 3 {
		c.u32(&m.LinkBandwidth)
	}
	c.tail(&m.Tail)
}

// MID implements Message.
func (*StartStriding) MID() MID { return MIDStartStriding }

func (m *StartStriding) fields(c *codec) {
	c.u32(&m.OpenFileID, &m.Padding)
	c.f64(&m.Position)
	c.u32(&m.AsfOffset, &m.LocationID, &m.FrameOffset, &m.PlayIncarnation)
	c.f64(&m.Rate)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*StopPlaying) MID() MID { return MIDStopPlaying }

func (m *StopPlaying) fields(c *codec) {
	c.u32(&m.OpenFileID, &m.PlayIncarnation)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*CloseFile) MID() MID { return MIDCloseFile }

func (m *CloseFile) fields(c *codec) {
	c.u32(&m.PlayIncarnation, &m.OpenFileID)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*FunnelInfo) MID() MID { return MIDFunnelInfo }

func (m *FunnelInfo) fields(c *codec) {
	c.u32(&m.PlayIncarnation)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*SecurityResponse) MID() MID { return MIDSecurityResponse }

func (m *SecurityResponse) fields(c *codec) {
	size := uint32(len(m.Token))
	c.u32(&m.PlayIncarnation, &m.Cookie, &size)
	c.bytes(&m.Token, int64(size))
	c.tail(&m.Tail)
}

// MID implements Message.
func (*Pong) MID() MID { return MIDPong }

func (m *Pong) fields(c *codec) {
	c.u32(&m.Param1, &m.Param2)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*CancelReadBlock) MID() MID { return MIDCancelReadBlock }

func (m *CancelReadBlock) fields(c *codec) {
	c.u32(&m.PlayIncarnation)
	c.tail(&m.Tail)
}

// MID implements Message.
func (*Logging) MID() MID { return MIDLogging }

// fields goes by the size that the log itself names first ([MS-MMSP] 2.2.1.1), as the message has no other.
func (m *Logging) fields(c *codec) {
	c.bytes(&m.Log, c.logSize(len(m.Log)))
	c.tail(&m.Tail)
}

// MID implements Message.
func (*StreamSwitch) MID() MID { return MIDStreamSwitch }

func (m *StreamSwitch) fields(c *codec) {
	count := uint32(len(m.Entries))
	c.u32(&count)
	if c.reading {
		if !c.has(6 * int64(count)) {
			return
		}
		m.Entries = make([]StreamSwitchEntry, count)
	}
	for i := range m.Entries {
		e := &m.Entries[i]
		c.u16(&e.Src, &e.Dst, &e.Thinning)
	}
	c.tail(&m.Tail)
}
