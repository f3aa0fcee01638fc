package decode

import (
	"fmt"
	"math"
	"strings"

	"mediagate/mms/mmswire"
)

// resultOf is the result that an answer of the server has.
func resultOf(m mmswire.Message) (hr uint32, ok bool) {
	switch m := m.(type) {
	case *mmswire.ReportConnectedEX:
		return m.HR, true
	case *mmswire.ReportConnectedFunnel:
		return m.HR, true
	case *mmswire.ReportDisconnectedFunnel:
		return m.HR, true
	case *mmswire.ReportEndOfStream:
		return m.HR, true
	case *mmswire.ReportFunnelInfo:
		return m.HR, true
	case *mmswire.ReportOpenFile:
		return m.HR, true
	case *mmswire.ReportReadBlock:
		return m.HR, true
	case *mmswire.ReportRedirect:
		return m.HR, true
	case *mmswire.ReportStartStriding:
		return m.HR, true
	case *mmswire.ReportStartedPlaying:
		return m.HR, true
	case *mmswire.ReportStreamChange:
		return m.HR, true
	case *mmswire.ReportStreamSwitch:
		return m.HR, true
	}
	return 0, false
}

// mmsFields are the fields of a message that matter to somebody who looks for a fault.
//
// Over 45 lines: one switch over the messages, a few words for each.
func mmsFields(m mmswire.Message) []Field {
	switch m := m.(type) {
	case *mmswire.Connect:
		return []Field{{"subscriberName", clean(strings.ReplaceAll(m.SubscriberName, "\x00", " | "), maxValue)}}
	case *mmswire.ReportConnectedEX:
		return some("server", m.ServerVersionInfo, "authenticates by", m.AuthenPackage)
	case *mmswire.ConnectFunnel:
		name, _, _ := strings.Cut(m.FunnelName, "\x00") // players leave a stray character behind it
		return []Field{{"funnelName", clean(name, maxValue)}, {"= transport", funnelText(m.FunnelName)}}
	case *mmswire.ReportConnectedFunnel:
		return some("largest packet", number(m.PacketPayloadSize))
	case *mmswire.ReportFunnelInfo:
		f := []Field{{"client id", fmt.Sprintf("0x%08x", m.NCubs)}}
		if len(m.PacketPair) > 0 {
			f = append(f, Field{"packet pair", size(uint64(len(m.PacketPair)))})
		}
		return f
	case *mmswire.OpenFile:
		f := []Field{{"fileName", clean(m.FileName, maxValue)}}
		if len(m.TokenData) > 0 {
			f = append(f, Field{"token", "*** " + size(uint64(len(m.TokenData)))})
		}
		return f
	case *mmswire.ReportOpenFile:
		if failed(m.HR) {
			return nil
		}
		return []Field{{"openFileId", fmt.Sprint(m.OpenFileID)}, {"= content", contentText(m)},
			{"= packets", fmt.Sprintf("%s of %s, header %s", group(m.FilePacketCount), size(uint64(m.FilePacketSize)), size(uint64(m.FileHeaderSize)))}}
	case *mmswire.ReadBlock:
		return []Field{{"playIncarnation", fmt.Sprint(m.PlayIncarnation)}}
	case *mmswire.StartPlaying:
		return startFields(m.Position, m.AsfOffset, m.LocationID, m.PlayIncarnation)
	case *mmswire.StartStriding:
		return append(startFields(m.Position, m.AsfOffset, m.LocationID, m.PlayIncarnation), Field{"rate", fmt.Sprint(m.Rate)})
	case *mmswire.ReportEndOfStream:
		return []Field{{"playIncarnation", fmt.Sprint(m.PlayIncarnation)}}
	case *mmswire.ReportRedirect:
		return some("location", m.Location)
	case *mmswire.ReportStreamChange:
		return []Field{{"header", size(uint64(m.HeaderSize))}, {"bit rate", bitRate(uint64(m.BitRate))}}
	case *mmswire.StreamSwitch:
		return switchFields(m.Entries)
	case *mmswire.SecurityChallenge:
		return []Field{{"token", size(uint64(len(m.Token)))}}
	case *mmswire.SecurityResponse:
		return []Field{{"token", "*** " + size(uint64(len(m.Token)))}}
	case *mmswire.Logging:
		return logFields(m.Log)
	case *mmswire.Unknown:
		return []Field{{"= not in [MS-MMSP]", size(uint64(len(m.Data)))}}
	}
	return nil
}

// some pairs names with the values that are not empty.
func some(pairs ...string) []Field {
	var out []Field
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, Field{pairs[i], clean(pairs[i+1], maxValue)})
		}
	}
	return out
}

func number(n uint32) string {
	if n == 0 || n == math.MaxUint32 {
		return ""
	}
	return size(uint64(n))
}

func bitRate(n uint64) string { return fmt.Sprintf("%.0f kbit/s", float64(n)/1e3) }

func funnelText(name string) string {
	f, err := mmswire.ParseFunnelName(name)
	switch {
	case err != nil:
		return "not readable: " + clean(err.Error(), 120)
	case f.UDP:
		return fmt.Sprintf("media over UDP, to %s port %d", clean(f.Host, 64), f.Port)
	}
	return "media in this connection"
}

func contentText(m *mmswire.ReportOpenFile) string {
	words := []string{}
	for _, a := range []struct {
		bit  uint32
		word string
	}{{mmswire.AttributeBroadcast, "broadcast"}, {mmswire.AttributeLive, "live"}, {mmswire.AttributePlaylist, "playlist"},
		{mmswire.AttributeCanSeek, "can seek"}, {mmswire.AttributeCanStride, "can stride"}} {
		if m.FileAttributes&a.bit != 0 {
			words = append(words, a.word)
		}
	}
	if m.FileDuration > 0 && m.FileDuration < 1e9 {
		words = append(words, fmt.Sprintf("%.1f s", m.FileDuration))
	}
	return strings.Join(append(words, bitRate(uint64(m.FileBitRate))), ", ")
}

// startFields say from where is to be played.
func startFields(position float64, offset, location, incarnation uint32) []Field {
	from := "the beginning"
	switch {
	case position > 0 && position < 1e9:
		from = fmt.Sprintf("%.3f s", position)
	case location != 0 && location != math.MaxUint32:
		from = "packet " + group(uint64(location))
	case offset != 0 && offset != math.MaxUint32:
		from = "byte " + group(uint64(offset))
	}
	return []Field{{"from", from}, {"playIncarnation", fmt.Sprint(incarnation)}}
}

func switchFields(entries []mmswire.StreamSwitchEntry) []Field {
	var words []string
	for i, e := range entries {
		if i == 8 {
			words = append(words, "...")
			break
		}
		how := map[uint16]string{0: "on", 1: "key frames only", 2: "off"}[e.Thinning]
		words = append(words, fmt.Sprintf("stream %d %s", e.Dst, how))
	}
	return some("streams", strings.Join(words, ", "))
}

func logFields(b []byte) []Field {
	l, err := mmswire.ParseClientLog(b)
	if err != nil {
		return []Field{{"= not readable", clean(err.Error(), 120)}}
	}
	return []Field{
		{"received", plural(uint64(l.Info.PacketsReceived), "packet")}, {"lost", plural(uint64(l.PacketsLostNet), "packet")},
		{"asked again", plural(uint64(l.ResendRequests), "packet")}, {"sent again", plural(uint64(l.PacketsResent), "packet")},
	}
}
