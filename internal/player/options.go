package player

import (
	"io"
	"net/netip"
	"net/url"
	"time"

	"go.uber.org/zap"
)

// Options is what to play and how.
type Options struct {
	// URL is rtsp://, mms:// or http:// (mmsh:// is the same); rtspu:// or mmsu:// (UDP only), rtspt:// or mmst:// (TCP
	// only), rtsph:// (RTSP tunnelled in HTTP); with or without user and password.
	URL string
	// Transport is "auto" (or empty: UDP, then TCP), "udp" or "tcp", or for RTSP "tunnel". The scheme of URL goes before it.
	Transport string
	// Rollover climbs down from RTSP to MMS and HTTP, as Windows Media Player does, until a step plays. URL is then
	// rtsp://, mms:// or without a scheme (the same as rtsp://), and Transport is "auto".
	Rollover bool
	// Ports are those of URLs that name none.
	Ports Ports
	// Output takes the media as an ASF file, if the origin sends ASF. It may be nil. If it is an io.WriteSeeker the
	// header's packet count is set right at the end.
	Output io.Writer
	// Start is where in the content to begin; 0 is its beginning.
	Start time.Duration
	// Duration is how long to play, counted from the first packet; 0 is to the end.
	Duration time.Duration
	// ClientPort is the UDP port to use. RTSP takes four from there on: ordinary streams on the first pair, resends on
	// the second. 0 takes free ones.
	ClientPort uint16
	// Resend asks for lost packets again. [MS-RTSP] 3.1.4.6; [MS-MMSP] 3.1.4.7.
	Resend bool
	// PacketPair measures the way first. [MS-RTSP] 3.1.5.6; [MS-MMSP] 4.4; [MS-WMSP] 3.1.5.6.
	PacketPair bool
	// User is whom to be if the origin asks; nil is what URL says.
	User *url.Userinfo
	// Logger may be nil. The caller owns it.
	Logger *zap.Logger
}

// Ports are TCP ports by protocol; 0 is 554, 1755 or 80. A tunnel uses that of HTTP.
type Ports struct{ RTSP, MMS, HTTP uint16 }

// LadderStep is a step of the ladder that Options.Rollover climbs down.
type LadderStep struct {
	// Scheme is "rtspu", "rtspt", "mmsu", "mmst" or "http".
	Scheme string
	// Took is how long it took; the step that plays, to its end.
	Took time.Duration
	// Why it was left, empty for the step that played.
	Why string
}

// Report is what came of it.
type Report struct {
	// Transport is "udp", "tcp", "tunnel" or "http", as it was in the end.
	Transport string
	// Server is the Server field of the origin, or its ServerVersionInfo over MMS; Session is its session's id, over MMS
	// what it calls us in resend requests, over HTTP its client-id.
	Server, Session string
	// Streams is the number of streams that were set up, without the resend stream.
	Streams int
	// Packets and Bytes count RTP packets of media, or MMS Data packets or $D packets with ASF packets, and their bytes,
	// header included; resent ones too.
	Packets, Bytes uint64
	// Lost were never got, over HTTP by the numbers of the packets in the file; Resent came on the resend stream or, over MMS, after they were asked for; Late came after a
	// later one, Duplicate came again.
	Lost, Resent, Late, Duplicate uint64
	// Jitter is as RFC 3550, section 6.4.1 has it; over MMS by the send times of the ASF packets.
	Jitter time.Duration
	// FirstPacket is the time from the start of Play to the first packet of media; 0 if none came.
	FirstPacket time.Duration
	// MediaSources are the addresses UDP media came from, in the order they were seen.
	MediaSources []netip.AddrPort
	// EndOfStream tells that the origin said so.
	EndOfStream bool
	// Local are our own addresses of the TCP connections, in the order of their making.
	Local []netip.AddrPort
	// Ladder are the steps of Options.Rollover, in the order in which they were tried.
	Ladder []LadderStep
	// Steps is what was done, a line for each step.
	Steps []string
}
