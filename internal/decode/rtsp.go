package decode

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mediagate/rtsp/rtspwire"
)

const (
	maxAsked = 64       // requests of a side that wait for an answer
	maxTail  = 96 << 10 // bytes in which the next message is looked for after a gap
)

// errMore says that the rest has not been captured yet. Readers of our wire rooms go on after it.
var errMore = errors.New("decode: read stream: more to come")

// feed is a source of bytes that come piece by piece.
type feed struct{ b []byte }

func (f *feed) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		return 0, errMore
	}
	n := copy(p, f.b)
	f.b = f.b[n:]
	return n, nil
}

// rtspTalk is a conversation of RTSP, over one connection or the two of a tunnel.
type rtspTalk struct {
	d        *decoder
	conv     *Conversation
	sides    [2]rtspSide
	asked    [2][]asked // by the side that asked
	clocks   map[uint8]uint32
	resends  string // control URL of the stream for what is sent again ([MS-RTSP] 2.2.5)
	channels [2]map[uint8]*Flow
	byNumber map[uint8]*Media
	got      bool // the GET of a tunnel has come
}

type rtspSide struct {
	feed  feed
	r     *rtspwire.Reader
	lost  bool // where the next message begins is not known
	hunt  hunt // for it
	began time.Time
}

// asked is a request that waits for its answer.
type asked struct {
	cseq   string
	method string
	url    string
	wanted rtspwire.Transport
}

func newRTSP(d *decoder, c *Conversation) *rtspTalk {
	t := &rtspTalk{d: d, conv: c, byNumber: map[uint8]*Media{}}
	for i := range t.sides {
		t.sides[i].reset()
		t.channels[i] = map[uint8]*Flow{}
		t.sides[i].lost = !c.begun
	}
	return t
}

func (s *rtspSide) reset() {
	s.feed.b = nil
	s.r = rtspwire.NewReader(&s.feed, rtspwire.Limits{Header: 64 << 10, Body: 256 << 10, Garbage: 4 << 10})
}

func (t *rtspTalk) dull() bool { return false }

func (t *rtspTalk) gap(side, n int, at time.Time) {
	s := &t.sides[side]
	s.reset()
	s.lost, s.hunt = true, hunt{}
	t.d.missing(t.conv, side, n, at)
}

func (t *rtspTalk) close(side int, at time.Time) {
	s := &t.sides[side]
	if s.r.InMessage() && !s.lost {
		t.d.message(t.conv, side, "note", "the connection ends within a message", nil, at)
	}
	s.reset()
	s.hunt = hunt{}
}

func (t *rtspTalk) data(side int, b []byte, at time.Time) {
	s := &t.sides[side]
	if s.lost {
		if b = s.find(b, t.known()); b == nil {
			return
		}
	}
	s.feed.b = b
	for {
		if !s.r.InMessage() {
			s.began = at
		}
		item, err := s.r.Read()
		if err != nil {
			if t.failed(side, err, at) {
				return
			}
			continue
		}
		switch item := item.(type) {
		case *rtspwire.Request:
			t.request(side, item, s.began)
		case *rtspwire.Response:
			t.response(side, item, s.began)
		case *rtspwire.Frame:
			t.frame(side, item, at)
		}
	}
}

// failed deals with an error of a reader and reports whether nothing more can be read now.
func (t *rtspTalk) failed(side int, err error, at time.Time) bool {
	if errors.Is(err, errMore) {
		return true
	}
	s := &t.sides[side]
	var syntax *rtspwire.SyntaxError
	var large *rtspwire.TooLargeError
	fatal := true
	switch {
	case errors.As(err, &syntax):
		fatal = syntax.Fatal
	case errors.As(err, &large):
		fatal = large.Fatal
	}
	t.d.message(t.conv, side, "note", "not readable as RTSP: "+clean(err.Error(), 200), nil, at)
	if fatal || errors.Is(err, io.ErrNoProgress) {
		s.reset()
		s.lost, s.hunt = true, hunt{}
	}
	return s.lost
}

func (t *rtspTalk) request(side int, q *rtspwire.Request, at time.Time) {
	line := fmt.Sprintf("%s %s %s", clean(q.Method, 32), clean(q.URL, 1024), clean(q.Version, 16))
	fields := append(rtspFields(&q.Header), bodyFields(&q.Header, q.Body)...)
	t.d.message(t.conv, side, "request", line, fields, at)
	if len(t.asked[side]) < maxAsked {
		wanted, _ := rtspwire.ParseTransport(q.Header.Values("Transport")...) // what cannot be read asks for nothing
		t.asked[side] = append(t.asked[side], asked{clean(q.Header.Get("CSeq"), 64), clean(q.Method, 32), clean(q.URL, 1024), wanted})
	}
	c := t.conv
	if side == client {
		if c.URL == "" && q.URL != "*" {
			c.URL = clean(q.URL, 1024)
		}
		if v := q.Header.Get("User-Agent"); v != "" && c.Player == "" {
			c.Player = clean(v, 128)
		}
	}
	switch q.Method {
	case "ANNOUNCE", "SET_PARAMETER":
		t.sdp(q.Body)
		if side == server && isEndOfStream(&q.Header) {
			t.stop("", at)
		}
	case "TEARDOWN", "PAUSE":
		t.stop(sessionID(&q.Header), at)
	}
}

func (t *rtspTalk) response(side int, a *rtspwire.Response, at time.Time) {
	q := t.take(1-side, a.Header.Get("CSeq"), a.Status)
	line := fmt.Sprintf("%s %03d %s", clean(a.Version, 16), a.Status, clean(a.Reason, 128))
	fields := append(rtspFields(&a.Header), bodyFields(&a.Header, a.Body)...)
	if m := meaningOf(a.Status, q.method); m != "" {
		fields = append(fields, Field{"meaning", m})
	}
	t.d.message(t.conv, side, "response", line, fields, at)
	if v := a.Header.Get("Server"); v != "" && side == server && t.conv.Software == "" {
		t.conv.Software = clean(v, 128)
	}
	if a.Status >= 400 {
		t.d.refused(t.conv, a.Status, q.method, q.url)
	}
	if a.Status/100 != 2 {
		return
	}
	switch q.method {
	case "DESCRIBE":
		t.sdp(a.Body)
	case "SETUP":
		t.setup(q, a, at)
	case "PLAY", "RECORD":
		session := sessionID(&a.Header)
		for _, m := range t.conv.Media {
			if m.session == session || session == "" {
				m.Played, m.Stopped = &at, nil
				m.Published = m.Published || q.method == "RECORD"
			}
		}
	}
}

// take finds the request that an answer is for.
func (t *rtspTalk) take(side int, cseq string, status int) asked {
	for i, q := range t.asked[side] {
		if q.cseq == cseq {
			if status >= 200 {
				t.asked[side] = append(t.asked[side][:i:i], t.asked[side][i+1:]...)
			}
			return q
		}
	}
	return asked{}
}

// sdp learns the clocks of payload types.
func (t *rtspTalk) sdp(body []byte) {
	if len(body) > 0 && len(body) <= 256<<10 {
		sdp := rtspwire.ParseSDP(body)
		if rates := sdp.ClockRates(); len(rates) > 0 {
			t.clocks = rates
		}
		for _, m := range sdp.Medias() {
			if strings.EqualFold(m.Encoding, "x-wms-rtx") && m.Control != "" {
				t.resends = clean(m.Control, 1024)
			}
		}
	}
}

// stop notes that media will not go on.
func (t *rtspTalk) stop(session string, at time.Time) {
	for _, m := range t.conv.Media {
		if (m.session == session || session == "") && m.Played != nil && m.Stopped == nil {
			m.Stopped = &at
		}
	}
}
