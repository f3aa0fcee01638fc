package decode

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"
)

// Format is the version of the JSON document. It changes when a field changes its meaning or goes; fields may be added.
const Format = 1

// Report is what a capture tells. docs/decode.md has every field.
type Report struct {
	Format        int             `json:"format"`
	File          File            `json:"file"`
	Conversations []*Conversation `json:"conversations"`
	Strays        []*Flow         `json:"strays"` // media that no conversation asked for
	Findings      []Finding       `json:"findings"`
}

// File is what was read.
type File struct {
	Kind       string            `json:"kind"` // "pcap", "pcapng" or "trace"
	Interfaces []Interface       `json:"interfaces"`
	Packets    int               `json:"packets"`
	Bytes      int64             `json:"bytes"` // as they were on the wire
	Start      time.Time         `json:"start"`
	Duration   Seconds           `json:"duration"`
	Names      map[string]string `json:"names,omitempty"` // of addresses, if the file has them
	Cut        string            `json:"cut,omitempty"`   // why the file was not read to its end
	Notes      []string          `json:"notes,omitempty"` // what was passed over, and what a limit left out
}

// Interface is where packets were captured.
type Interface struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Link        string `json:"link"`
	Packets     int    `json:"packets"`
}

// Conversation is one connection of a player with a server, or the two of a tunnel.
type Conversation struct {
	ID        int              `json:"id"`
	Protocol  string           `json:"protocol"` // "rtsp", "rtsp-http", "mms" or "wmsp"
	Client    netip.AddrPort   `json:"client"`
	Server    netip.AddrPort   `json:"server"`
	Joined    []netip.AddrPort `json:"joined,omitempty"` // client ends of the other connections of a tunnel
	Interface string           `json:"interface,omitempty"`
	URL       string           `json:"url,omitempty"`
	Player    string           `json:"player,omitempty"`   // what the client calls itself
	Software  string           `json:"software,omitempty"` // what the server calls itself
	Start     time.Time        `json:"start"`
	Duration  Seconds          `json:"duration"`
	Ended     string           `json:"ended"`         // how the connection ended
	Leg       int              `json:"leg,omitempty"` // the conversation from which its media comes, as on the other side of a gateway
	Events    []Event          `json:"events"`
	Media     []*Media         `json:"media"`

	talk     talk
	begun    bool      // not from its middle
	endAt    time.Time // of the last packet of the connection
	runs     [2]*run
	closed   bool
	resetBy  string
	closedBy string
	closedAt time.Time
	refusals []refusal
}

// Event is a line of a conversation, with what belongs to it.
type Event struct {
	Time   time.Time `json:"time"`
	Offset Seconds   `json:"offset"`         // since the conversation began
	From   string    `json:"from,omitempty"` // "client" or "server"
	Kind   string    `json:"kind"`           // "request", "response", "message", "run", "gap", "media" or "note"
	Line   string    `json:"line"`
	Fields []Field   `json:"fields,omitempty"`
	Run    *Run      `json:"run,omitempty"`
}

// Field is a name and a value that matters of a message.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Run is a row of media packets within a connection.
type Run struct {
	Packets  uint64  `json:"packets"`
	Bytes    uint64  `json:"bytes"`
	Lost     int64   `json:"lost"`
	Duration Seconds `json:"duration"`
}

// Media is a stream that a SETUP, a funnel or a Play asked for.
type Media struct {
	Transport string     `json:"transport"` // "udp", "interleaved", "tcp" or "http"
	URL       string     `json:"url,omitempty"`
	Client    netip.Addr `json:"client"`
	Ports     []uint16   `json:"client_ports,omitempty"`
	Server    netip.Addr `json:"server"`
	From      []uint16   `json:"server_ports,omitempty"` // those of the server that were negotiated
	Channels  []uint8    `json:"channels,omitempty"`
	Published bool       `json:"published,omitempty"` // the client sends it
	Shares    string     `json:"shares,omitempty"`    // URL of the media in whose packets this one comes, as Windows Media does it
	Played    *time.Time `json:"played,omitempty"`    // when the server agreed to play
	Stopped   *time.Time `json:"stopped,omitempty"`   // when it was stopped, or ended by itself
	Flows     []*Flow    `json:"flows"`

	session string
	awaited *time.Time // since when something must come, before it is played
	conv    *Conversation
	clocks  map[uint8]uint32
	ssrc    string
	resends bool // carries what is sent again, and may stay empty
}

// Flow is media, reports or requests from one address to another.
type Flow struct {
	From        netip.AddrPort `json:"from"`
	To          netip.AddrPort `json:"to"`
	Interface   string         `json:"interface,omitempty"`
	Channel     *uint8         `json:"channel,omitempty"` // of interleaved media
	Kind        string         `json:"kind"`              // "rtp", "rtcp", "mms", "resend" or "other"
	First       time.Time      `json:"first"`
	Last        time.Time      `json:"last"`
	Packets     uint64         `json:"packets"`
	Bytes       uint64         `json:"bytes"` // of payload, headers of RTP and MMS included
	Sources     []*Source      `json:"sources,omitempty"`
	Reports     *Reports       `json:"reports,omitempty"`
	Resend      *Resend        `json:"resend,omitempty"`
	Unreachable map[string]int `json:"unreachable,omitempty"` // ICMP errors for it, by what they say
	Joined      string         `json:"joined,omitempty"`      // how it belongs to its media, see docs/decode.md
	Leg         int            `json:"leg,omitempty"`         // the flow from which the same packets come, see ID
	ID          int            `json:"id"`

	media    *Media
	prints   []print // of its first packets, to find them again on another leg
	icmpBy   netip.Addr
	toServer bool
	short    int // bytes that the snap length cut off
}

// Source is one numbered row of media packets: an SSRC of RTP (RFC 3550), or the Data packets of MMS.
type Source struct {
	ID        string  `json:"id"`                     // the SSRC, or the incarnation of MMS, in hexadecimal digits
	Payload   uint8   `json:"payload_type,omitempty"` // of RTP
	Clock     uint32  `json:"clock,omitempty"`        // Hz
	Packets   uint64  `json:"packets"`
	Bytes     uint64  `json:"bytes"`
	Lost      int64   `json:"lost"` // expected and not seen (RFC 3550, A.3)
	Late      uint64  `json:"late"` // seen after one with a higher number
	Duplicate uint64  `json:"duplicate"`
	Jitter    Seconds `json:"jitter"`            // RFC 3550, section 6.4.1, at the end
	MaxJitter Seconds `json:"max_jitter"`        // the highest of it
	Longest   int64   `json:"longest,omitempty"` // packets in the longest row that was lost

	meter meter
}

// Reports are what RTCP said (RFC 3550, section 6; RFC 4585).
type Reports struct {
	Senders   int     `json:"sender_reports"`
	Receivers int     `json:"receiver_reports"`
	Lost      int64   `json:"lost"`           // the highest cumulative number of a report
	Fraction  float64 `json:"worst_fraction"` // 0 to 1, of one report
	Jitter    uint32  `json:"jitter"`         // the highest, in units of the RTP clock
	Nacked    int     `json:"nacked"`         // packets that were asked for again
	Byes      int     `json:"byes"`

	known int // blocks: each says that media came
}

// Resend are requests of MMS to send packets again ([MS-MMSP] 2.2.5).
type Resend struct {
	Requests int `json:"requests"`
	Packets  int `json:"packets"`
}

// Finding is something that is wrong, or worth knowing.
type Finding struct {
	Level        string `json:"level"` // "error", "warning" or "note"
	Code         string `json:"code"`  // docs/decode.md has all
	Conversation int    `json:"conversation,omitempty"`
	Text         string `json:"text"`
}

// Seconds is a duration that JSON has in seconds, with six decimals.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', 6, 64), nil
}

// String returns the seconds with as many digits as a person wants.
func (s Seconds) String() string {
	d := time.Duration(s)
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.3f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < 100*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

// WriteJSON writes the report as one indented JSON document.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("decode: write report: %w", err)
	}
	return nil
}
