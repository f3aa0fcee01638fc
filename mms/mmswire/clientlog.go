package mmswire

import (
	"bytes"
	"fmt"
)

// The sizes of CLIENT_LOG and CLIENT_LOG_INFO in bytes ([MS-MMSP] 2.2.1).
const (
	ClientLogSize     = 1490
	clientLogInfoSize = 1142
)

// Version is a version of four parts, the major one highest.
type Version uint64

// String returns it as in "10.0.0.3646".
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", v>>48, v>>32&0xffff, v>>16&0xffff, v&0xffff)
}

// ClientLog is what a player reports of a session ([MS-MMSP] 2.2.1.1). Texts are in the player's code page, as bytes;
// "" is "-" on the wire.
type ClientLog struct {
	Info                   ClientLogInfo
	SourceID               uint32 // OpenFileID
	IPAddress              uint32 // IPv4 address of the player, or 0xffffffff
	ComputerDNS            string // at most 259 bytes
	OS                     string // at most 15 bytes
	OSVersion              Version
	CPU                    string // at most 15 bytes
	Proto                  string // "mms"
	Transport              string // "UDP" or "TCP"
	PacketsLostNet         uint32
	PacketsLostContNet     uint32 // the longest row of lost packets
	ResendRequests         uint32 // packets that were asked for again
	PacketsRecoveredResent uint32
	PacketsResent          uint32
}

// ClientLogInfo is the larger part of a ClientLog ([MS-MMSP] 2.2.1.2).
type ClientLogInfo struct {
	URL                 string // at most 259 bytes, as ChannelURL and HostingWebPage
	ChannelURL          string
	UserAgent           string // at most 63 bytes
	HostingWebPage      string
	ClientVersion       Version
	Lang                string // at most 15 bytes
	UniquePID           string // at most 39 bytes
	HostExe             string // at most 31 bytes
	HostExeVersion      Version
	FileDuration        uint32 // milliseconds
	FileSize            uint64 // bytes
	AvgBandwidth        uint32 // bits per second
	AudioCodec          string // at most 63 bytes, as VideoCodec
	VideoCodec          string
	StartTime           uint32 // milliseconds
	Played              uint32 // milliseconds
	Rate                int16  // 1: normal
	BufferingCount      uint32
	BufferingTime       uint32 // milliseconds
	BytesReceived       uint64
	PacketsReceived     uint32
	PacketsLostClient   uint32
	PacketsRecoveredECC uint32
	MinReceptionQuality uint32 // percent
	HR                  uint32
}

// ParseClientLog reads the body of a LinkViewerToMacLogging message (Logging.Log, or Raw.Body). What follows the
// structure is ignored.
func ParseClientLog(body []byte) (ClientLog, error) {
	var l ClientLog
	c := codec{reading: true, data: body}
	if l.fields(&c); c.fault != "" {
		return ClientLog{}, &SyntaxError{Object: "client log", Offset: int64(c.pos), What: c.fault}
	}
	return l, nil
}

// AppendClientLog writes a log to the end of b, ClientLogSize bytes. A text that is too long is cut.
func AppendClientLog(b []byte, l ClientLog) []byte {
	c := codec{data: b}
	l.fields(&c)
	return c.data
}

func (l *ClientLog) fields(c *codec) {
	size := uint32(ClientLogSize)
	c.u32(&size)
	l.Info.fields(c)
	c.u32(&l.SourceID, &l.IPAddress)
	c.ansi(&l.ComputerDNS, 260)
	c.ansi(&l.OS, 16)
	c.version(&l.OSVersion)
	c.ansi(&l.CPU, 16)
	c.ansi(&l.Proto, 8)
	c.ansi(&l.Transport, 8)
	c.u32(&l.PacketsLostNet, &l.PacketsLostContNet, &l.ResendRequests, &l.PacketsRecoveredResent, &l.PacketsResent)
}

func (i *ClientLogInfo) fields(c *codec) {
	size := uint32(clientLogInfoSize)
	c.u32(&size)
	c.ansi(&i.URL, 260)
	c.ansi(&i.ChannelURL, 260)
	c.ansi(&i.UserAgent, 64)
	c.ansi(&i.HostingWebPage, 260)
	c.version(&i.ClientVersion)
	c.ansi(&i.Lang, 16)
	c.ansi(&i.UniquePID, 40)
	c.ansi(&i.HostExe, 32)
	c.version(&i.HostExeVersion)
	c.u32(&i.FileDuration)
	c.u64(&i.FileSize)
	c.u32(&i.AvgBandwidth)
	c.ansi(&i.AudioCodec, 64)
	c.ansi(&i.VideoCodec, 64)
	c.u32(&i.StartTime, &i.Played)
	rate := uint16(i.Rate)
	c.u16(&rate)
	i.Rate = int16(rate)
	c.u32(&i.BufferingCount, &i.BufferingTime)
	c.u64(&i.BytesReceived)
	c.u32(&i.PacketsReceived, &i.PacketsLostClient, &i.PacketsRecoveredECC, &i.MinReceptionQuality, &i.HR)
}

func (c *codec) version(v *Version) {
	bits := uint64(*v)
	c.u64(&bits)
	*v = Version(bits)
}

// ansi is a text of one byte a character in a field of n bytes ([MS-MMSP] 2.2.1): an empty one is "-", each has a NUL.
func (c *codec) ansi(text *string, n int) {
	if c.reading {
		b, _, _ := bytes.Cut(c.take(n), []byte{0})
		*text = string(b)
		if *text == "-" {
			*text = ""
		}
		return
	}
	field := make([]byte, n)
	copy(field[:n-1], *text)
	if *text == "" {
		field[0] = '-'
	}
	c.data = append(c.data, field...)
}
