package player

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

// playerVersion is that of nsPlayer in four parts. [MS-MMSP] 2.2.1.2.
const playerVersion mmswire.Version = 9<<48 | 2833

// sendLog reports what came of a stream: what was counted, and nothing that was not. [MS-MMSP] 2.2.4.20.
func (r *mmsRun) sendLog(s *mmsStream) error {
	return r.send(&mmswire.Logging{Log: mmswire.AppendClientLog(nil, r.clientLog(s))})
}

// clientLog is [MS-MMSP] 2.2.1.1. Of the system it tells no more than its name.
func (r *mmsRun) clientLog(s *mmsStream) mmswire.ClientLog {
	f := s.flow
	lost := f.lost + uint64(len(f.missing))
	transport := "TCP"
	if r.transport == "udp" {
		transport = "UDP"
	}
	return mmswire.ClientLog{
		Info:                   r.clientLogInfo(s, lost),
		SourceID:               r.file.OpenFileID,
		IPAddress:              0xffffffff,
		OS:                     runtime.GOOS,
		CPU:                    runtime.GOARCH,
		Proto:                  "mms",
		Transport:              transport,
		PacketsLostNet:         u32(lost + f.resent),
		PacketsLostContNet:     s.longest,
		ResendRequests:         s.asked,
		PacketsRecoveredResent: u32(f.resent),
		PacketsResent:          u32(f.resent),
	}
}

// clientLogInfo is [MS-MMSP] 2.2.1.2. Nothing is buffered or decoded here: the buffering is none, the codecs are those of
// the file, and what was played is what came.
func (r *mmsRun) clientLogInfo(s *mmsStream, lost uint64) mmswire.ClientLogInfo {
	i := mmswire.ClientLogInfo{
		URL:               r.url.String(),
		UserAgent:         nsPlayer,
		ClientVersion:     playerVersion,
		UniquePID:         r.guid,
		HostExe:           filepath.Base(os.Args[0]),
		StartTime:         u32(uint64(max(r.o.Start, 0).Milliseconds())),
		Played:            s.sent[1] - s.sent[0],
		Rate:              1,
		BytesReceived:     s.payload,
		PacketsReceived:   u32(s.flow.packets),
		PacketsLostClient: u32(lost),
	}
	if all := s.flow.packets + lost; all > 0 {
		i.MinReceptionQuality = uint32(100 * s.flow.packets / all)
	}
	if d := s.lastAt.Sub(s.firstAt); d > 0 {
		i.AvgBandwidth = u32(uint64(float64(8*s.payload) * float64(time.Second) / float64(d)))
	}
	if info := r.info; r.file.FileAttributes&(mmswire.AttributeLive|mmswire.AttributeBroadcast) == 0 {
		i.FileDuration = u32(info.Duration)
		i.FileSize = uint64(len(info.Header)) + r.packets*uint64(info.PacketSize)
	}
	for _, stream := range r.info.Streams {
		switch {
		case stream.Kind == asf.Audio && i.AudioCodec == "":
			i.AudioCodec = stream.Codec
		case stream.Kind == asf.Video && i.VideoCodec == "":
			i.VideoCodec = stream.Codec
		}
	}
	return i
}

// u32 is n, or the most that a field can hold.
func u32(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }
