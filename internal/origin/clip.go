package origin

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"
)

const (
	videoRate    = 25 // frames a second; make-sample.sh
	videoClock   = 90000
	audioSamples = 1024 // of one AAC frame
)

// clip is the bundled H.264 and AAC, in pieces.
type clip struct {
	video [][][]byte // access units of NAL units
	audio [][]byte   // access units
	h264  *format.H264
	aac   *format.MPEG4Audio
}

// readClip reads the bundled files.
func readClip() (*clip, error) {
	b, err := samples.ReadFile("sample/sample.h264")
	if err != nil {
		return nil, fmt.Errorf("origin: read the bundled sample: %w", err)
	}
	c := &clip{
		video: accessUnits(b),
		h264:  &format.H264{PayloadTyp: 96, PacketizationMode: 1},
	}
	for _, unit := range c.video {
		for _, n := range unit {
			switch h264.NALUType(n[0] & 0x1f) {
			case h264.NALUTypeSPS:
				c.h264.SPS = n
			case h264.NALUTypePPS:
				c.h264.PPS = n
			}
		}
	}
	if b, err = samples.ReadFile("sample/sample.aac"); err != nil {
		return nil, fmt.Errorf("origin: read the bundled sample: %w", err)
	}
	var packets mpeg4audio.ADTSPackets
	if err := packets.Unmarshal(b); err != nil || len(packets) == 0 || len(c.video) == 0 {
		return nil, fmt.Errorf("origin: read the bundled sample: %d and %d units: %w", len(c.video), len(packets), err)
	}
	for _, p := range packets {
		c.audio = append(c.audio, p.AU)
	}
	c.aac = &format.MPEG4Audio{
		PayloadTyp: 97, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3,
		Config: &mpeg4audio.AudioSpecificConfig{
			Type: packets[0].Type, SampleRate: packets[0].SampleRate, ChannelCount: packets[0].ChannelCount,
		},
	}
	return c, nil
}

// accessUnits splits a file of Annex B at its delimiters, which are left out. ITU-T H.264, section 7.4.1.2.4 and B.1.
func accessUnits(b []byte) (units [][][]byte) {
	for _, n := range bytes.Split(b, []byte{0, 0, 1}) {
		n = bytes.TrimRight(n, "\x00") // of a start code of four bytes, and trailing_zero_8bits
		if len(n) == 0 {
			continue
		}
		if h264.NALUType(n[0]&0x1f) == h264.NALUTypeAccessUnitDelimiter {
			units = append(units, nil)
		} else if len(units) > 0 {
			units[len(units)-1] = append(units[len(units)-1], n)
		}
	}
	return units
}

func (c *clip) description() *description.Session {
	return &description.Session{Medias: []*description.Media{
		{Type: description.MediaTypeVideo, Formats: []format.Format{c.h264}},
		{Type: description.MediaTypeAudio, Formats: []format.Format{c.aac}},
	}}
}

// send writes the clip to the stream, over and over, until done is closed.
func (c *clip) send(stream *gortsplib.ServerStream, done <-chan struct{}) error {
	video, err := c.h264.CreateEncoder()
	if err != nil {
		return err
	}
	audio, err := c.aac.CreateEncoder()
	if err != nil {
		return err
	}
	medias := stream.Desc.Medias
	videoBase, audioBase := random32(), random32()
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	rate := c.aac.Config.SampleRate
	for v, a := 0, 0; ; {
		at := time.Duration(v) * time.Second / videoRate
		audioAt := time.Duration(a) * audioSamples * time.Second / time.Duration(rate)
		isAudio := audioAt < at
		if isAudio {
			at = audioAt
		}
		timer.Reset(time.Until(begin.Add(at)))
		select {
		case <-done:
			return nil
		case <-timer.C:
		}
		if isAudio {
			packets, err := audio.Encode([][]byte{c.audio[a%len(c.audio)]})
			if err := write(stream, medias[1], packets, err, audioBase+uint32(a*audioSamples)); err != nil {
				return err
			}
			a++
			continue
		}
		packets, err := video.Encode(c.video[v%len(c.video)])
		if err := write(stream, medias[0], packets, err, videoBase+uint32(v*(videoClock/videoRate))); err != nil {
			return err
		}
		v++
	}
}

// write sends the packets of one access unit.
func write(stream *gortsplib.ServerStream, m *description.Media, packets []*rtp.Packet, err error, timestamp uint32) error {
	for _, p := range packets {
		p.Timestamp += timestamp
		err = errors.Join(err, stream.WritePacketRTP(m, p))
	}
	return err
}
