package sessionlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Version is the schema's version, the field "v". It grows when a field changes its meaning or goes away, not when one
// is added.
const Version = 1

// The values of Record.Transport; "" when nothing was negotiated or the medias of a session differ in nothing to name.
const (
	TransportUDP         = "udp"
	TransportInterleaved = "interleaved" // also MMS media in its control connection
	TransportTunnelled   = "tunnelled"
	TransportHTTP        = "http" // Windows Media HTTP streaming, or a plain body
)

// The values of Record.Mode; "" when nothing was played or recorded.
const (
	ModePlay   = "play"
	ModeRecord = "record"
)

// Record is what is kept of one session. docs/sessionlog.md tells each field; the two are tested against each other.
type Record struct {
	V             int    `json:"v"` // set by Append: Version
	ID            string `json:"id"`
	Viewer        string `json:"viewer"`
	VirtualServer string `json:"virtual_server"`
	Protocol      string `json:"protocol"`
	Transport     string `json:"transport"`
	Mode          string `json:"mode"`

	Client      netip.AddrPort `json:"client"`
	Local       netip.AddrPort `json:"local"`
	Node        string         `json:"node"`
	NodeAddress netip.AddrPort `json:"node_address"`
	SeenAs      netip.AddrPort `json:"seen_as"`
	MediaSeenAs netip.AddrPort `json:"media_seen_as"`
	URL         string         `json:"url"`
	UserAgent   string         `json:"user_agent"`
	PlayerID    string         `json:"player_id"`

	Start      Stamp    `json:"start"`
	Duration   Seconds  `json:"duration"`
	Setup      *Seconds `json:"setup"`       // see SecondsAfter
	FirstMedia *Seconds `json:"first_media"` // see SecondsAfter
	Requests   uint64   `json:"requests"`

	FromOrigin    Traffic `json:"from_origin"`
	ToClient      Traffic `json:"to_client"`
	FromClient    Traffic `json:"from_client"`
	ToOrigin      Traffic `json:"to_origin"`
	ControlClient Control `json:"control_client"`
	ControlOrigin Control `json:"control_origin"`

	Lost           uint64            `json:"lost"`
	Late           uint64            `json:"late"`
	Duplicate      uint64            `json:"duplicate"`
	Jitter         Millis            `json:"jitter_ms"`
	RTCPLost       uint64            `json:"rtcp_lost"`
	ResendRequests uint64            `json:"resend_requests"`
	Resent         uint64            `json:"resent"`
	Drops          map[string]uint64 `json:"drops"`
	SkippedBytes   uint64            `json:"skipped_bytes"`
	ClientLog      *ClientLog        `json:"client_log"` // nil: the player sent none

	NodesTried []string `json:"nodes_tried"`
	Ladder     []Step   `json:"ladder"` // oldest first; the gateway fills it in
	End        EndState `json:"end"`
	Why        string   `json:"why"`
	Causes     []Kind   `json:"causes"` // see Conclude; the kinds that Why was made of, the one that ended it first
	Interim    bool     `json:"interim"`
}

// Step is a session that the same viewer had before this one: a step of the ladder that the player climbs down.
type Step struct {
	Session   string   `json:"session"` // Record.ID of that session
	Protocol  string   `json:"protocol"`
	Transport string   `json:"transport"`
	End       EndState `json:"end"`
	Why       string   `json:"why"`
	Start     Stamp    `json:"start"`
}

// Traffic counts the media packets of one direction on one side, RTP and RTCP, and the bytes of their payloads of UDP
// (or of interleaved frames).
type Traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Control counts the bytes of one side's control connections, interleaved media included: In is read from that side.
type Control struct {
	In  uint64 `json:"in"`
	Out uint64 `json:"out"`
}

// maxText is the most bytes of a text that came from outside. A line of 16 KiB is legal in RTSP; a thousand of them
// waiting in the Writer's queue should not weigh 16 MiB per field.
const maxText = 2048

// Append appends the record to b as one line of JSON that ends in '\n'. User names and passwords in the URL are left
// out, texts longer than 2048 bytes are cut, and what is not UTF-8 becomes U+FFFD. The record is not changed.
func (r *Record) Append(b []byte) ([]byte, error) {
	c := *r
	c.V = Version
	c.URL = withoutUser(c.URL)
	for _, s := range []*string{&c.URL, &c.UserAgent, &c.Why, &c.ID, &c.Viewer, &c.PlayerID} {
		*s = cut(*s)
	}
	c.ClientLog = c.ClientLog.tidy()
	if c.Drops == nil {
		c.Drops = map[string]uint64{}
	}
	if c.NodesTried == nil {
		c.NodesTried = []string{}
	}
	if c.Causes == nil {
		c.Causes = []Kind{}
	}
	c.Ladder = tidySteps(c.Ladder)
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false) // a URL with '&' stays one that can be pasted
	if err := enc.Encode(&c); err != nil {
		return b, fmt.Errorf("sessionlog: encode record %q: %w", c.ID, err)
	}
	return buf.Bytes(), nil
}

// tidySteps is the list as Append writes it: never null, in memory of its own, its texts as those of the record.
func tidySteps(steps []Step) []Step {
	out := make([]Step, len(steps))
	for i, s := range steps {
		s.Session, s.Why = cut(s.Session), cut(s.Why)
		out[i] = s
	}
	return out
}

// withoutUser takes "user:password@" out of a URL, by bytes, since what players send is often no URL that a parser
// would take.
func withoutUser(url string) string {
	scheme := strings.Index(url, "://")
	if scheme < 0 {
		return url
	}
	start := scheme + len("://")
	end := len(url)
	if i := strings.IndexAny(url[start:], "/?#"); i >= 0 {
		end = start + i
	}
	at := strings.LastIndexByte(url[start:end], '@')
	if at < 0 {
		return url
	}
	return url[:start] + url[start+at+1:]
}

func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	const mark = "..."
	n := maxText - len(mark)
	for n > maxText-len(mark)-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

// Stamp is a moment, written in UTC as RFC 3339 with milliseconds.
type Stamp struct{ time.Time }

const stampLayout = `"2006-01-02T15:04:05.000Z07:00"`

// MarshalJSON writes the moment with three decimals always, so that lines align and sort.
func (s Stamp) MarshalJSON() ([]byte, error) { return s.UTC().AppendFormat(nil, stampLayout), nil }

// Seconds is a span written as seconds with three decimals.
type Seconds time.Duration

// SecondsAfter returns the span from start to t, or nil if t is zero: it has not happened.
func SecondsAfter(start, t time.Time) *Seconds {
	if t.IsZero() {
		return nil
	}
	s := Seconds(t.Sub(start))
	return &s
}

// MarshalJSON writes seconds.
func (s Seconds) MarshalJSON() ([]byte, error) { return decimals(time.Duration(s), time.Second), nil }

// UnmarshalJSON reads seconds.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	d, err := span(b, time.Second)
	*s = Seconds(d)
	return err
}

// Millis is a span written as milliseconds with three decimals.
type Millis time.Duration

// MarshalJSON writes milliseconds.
func (m Millis) MarshalJSON() ([]byte, error) {
	return decimals(time.Duration(m), time.Millisecond), nil
}

// UnmarshalJSON reads milliseconds.
func (m *Millis) UnmarshalJSON(b []byte) error {
	d, err := span(b, time.Millisecond)
	*m = Millis(d)
	return err
}

func decimals(d, unit time.Duration) []byte {
	return strconv.AppendFloat(nil, float64(d)/float64(unit), 'f', 3, 64)
}

func span(b []byte, unit time.Duration) (time.Duration, error) {
	if string(b) == "null" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0, fmt.Errorf("sessionlog: decode span %q: %w", b, err)
	}
	return time.Duration(f * float64(unit)), nil
}
