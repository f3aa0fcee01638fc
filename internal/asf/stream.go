package asf

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Kind is what a stream carries.
type Kind uint8

// The kinds a media description tells apart. [MS-RTSP] 2.2.5.3.
const (
	Other Kind = iota
	Audio
	Video
	Command
)

// String is the media type of the kind in SDP: "audio", "video" or "application".
func (k Kind) String() string {
	switch k {
	case Audio:
		return "audio"
	case Video:
		return "video"
	default:
		return "application"
	}
}

// Stream is one stream of a file.
type Stream struct {
	// Number is what packets call it, 1 to 127.
	Number uint8
	// Kind is what it carries.
	Kind Kind
	// Codec is the four characters of a video format, a name or number of an audio format, or empty.
	Codec string
}

// waveFormats are the names of the audio format tags that Windows Media files have.
var waveFormats = map[uint16]string{
	0x0001: "PCM", 0x000a: "WMSP", 0x0050: "MP2", 0x0055: "MP3", 0x00ff: "AAC", 0x0160: "WMA1", 0x0161: "WMA2",
	0x0162: "WMA3", 0x0163: "WMAL", 0x1610: "AAC", 0x2000: "AC3",
}

// streamProperties reads the object of ASF specification, section 3.3.
func (i *Info) streamProperties(b []byte, at int) error {
	const fixed = 78
	if len(b) < fixed {
		return fault(at, "stream properties", "%d bytes", len(b))
	}
	specific := b[fixed:]
	size := binary.LittleEndian.Uint32(b[64:])
	if uint64(size) > uint64(len(specific)) {
		return fault(at+64, "stream properties", "type-specific data of %d bytes in %d", size, len(specific))
	}
	specific = specific[:size]
	s := Stream{Number: b[72] & 0x7f}
	switch guid(b[24:40]) {
	case guidAudio:
		s.Kind, s.Codec = Audio, audioCodec(specific)
	case guidVideo:
		s.Kind, s.Codec = Video, videoCodec(specific)
	case guidCommand:
		s.Kind = Command
	}
	for _, o := range i.Streams {
		if o.Number == s.Number {
			return fault(at+72, "stream properties", "stream %d is there twice", s.Number)
		}
	}
	i.Streams = append(i.Streams, s)
	return nil
}

// audioCodec names the format tag that a WAVEFORMATEX begins with. ASF specification, section 9.1.
func audioCodec(b []byte) string {
	if len(b) < 2 {
		return ""
	}
	tag := binary.LittleEndian.Uint16(b)
	if name, ok := waveFormats[tag]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", tag)
}

// videoCodec is the compression ID of the BITMAPINFOHEADER. ASF specification, section 9.2.
func videoCodec(b []byte) string {
	const at = 11 + 16
	if len(b) < at+4 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, string(b[at:at+4]))
}
