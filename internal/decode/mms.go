package decode

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"mediagate/mms/mmswire"
)

// mmsTalk is a conversation of MMS.
type mmsTalk struct {
	d      *decoder
	conv   *Conversation
	sides  [2]mmsSide
	media  *Media // of the last funnel
	flow   *Flow  // Data packets in the connection
	opened string // path that was asked for
}

type mmsSide struct {
	feed  feed
	r     *mmswire.Reader
	lost  bool
	hunt  hunt
	began time.Time
}

func newMMS(d *decoder, c *Conversation) *mmsTalk {
	t := &mmsTalk{d: d, conv: c}
	for i := range t.sides {
		t.sides[i].reset()
		t.sides[i].lost = !c.begun
	}
	return t
}

func (s *mmsSide) reset() {
	s.feed.b = nil
	s.r = mmswire.NewReader(&s.feed, mmswire.Limits{})
}

func (t *mmsTalk) dull() bool { return false }

func (t *mmsTalk) gap(side, n int, at time.Time) {
	s := &t.sides[side]
	s.reset()
	s.lost, s.hunt = true, hunt{}
	t.d.missing(t.conv, side, n, at)
}

func (t *mmsTalk) close(side int, at time.Time) {
	s := &t.sides[side]
	if s.r.InMessage() && !s.lost {
		t.d.message(t.conv, side, "note", "the connection ends within a packet", nil, at)
	}
	s.reset()
	s.hunt = hunt{}
}

func (t *mmsTalk) data(side int, b []byte, at time.Time) {
	s := &t.sides[side]
	if s.lost {
		if b = s.find(b); b == nil {
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
			if !errors.Is(err, errMore) {
				t.d.message(t.conv, side, "note", "not readable as MMS: "+clean(err.Error(), 200), nil, at)
				s.reset()
				s.lost, s.hunt = true, hunt{}
			}
			return
		}
		switch item := item.(type) {
		case *mmswire.Packet:
			for _, raw := range item.Messages {
				t.message(side, raw, s.began)
			}
		case *mmswire.Data:
			t.packet(side, *item, at)
		}
	}
}

// find looks for the next packet in what comes after a gap. A Data packet has no mark: it is taken for one if another one
// that goes on from it, or a message, follows.
func (s *mmsSide) find(b []byte) []byte {
	b = s.hunt.add(b, maxTail, func(b []byte) bool { return isMMS(b) || followed(b) })
	s.lost = b == nil
	return b
}

func followed(b []byte) bool {
	le := binary.LittleEndian
	if len(b) < mmswire.DataHeaderSize {
		return false
	}
	n := int(le.Uint16(b[6:]))
	if n <= mmswire.DataHeaderSize || n+mmswire.DataHeaderSize > len(b) {
		return false
	}
	next := b[n:]
	return isMMS(next) || le.Uint32(next) == le.Uint32(b)+1 && next[4] == b[4] && next[5] == b[5]+1 && le.Uint16(next[6:]) > mmswire.DataHeaderSize
}

func (t *mmsTalk) message(side int, raw mmswire.Raw, at time.Time) {
	m, err := mmswire.Decode(raw)
	if err != nil {
		t.d.message(t.conv, side, "message", raw.MID.String(), []Field{{"= not readable", clean(err.Error(), 200)}}, at)
		return
	}
	fields := mmsFields(m)
	hr, answers := resultOf(m)
	if answers && hr != 0 {
		fields = append([]Field{{"hr", resultText(hr)}}, fields...)
	}
	t.d.message(t.conv, side, "message", raw.MID.String(), fields, at)
	if answers && failed(hr) {
		t.d.failedResult(t.conv, raw.MID.String(), hr)
		return
	}
	t.learn(m, at)
}

// learn takes from a message what the conversation needs to know.
func (t *mmsTalk) learn(m mmswire.Message, at time.Time) {
	c := t.conv
	switch m := m.(type) {
	case *mmswire.Connect:
		sub := mmswire.ParseSubscriber(m.SubscriberName)
		c.Player = clean(sub.Product(), 128)
		c.URL = "mms://" + clean(sub.Host(), 256)
	case *mmswire.ReportConnectedEX:
		if m.ServerVersionInfo != "" {
			c.Software = clean(m.ServerVersionInfo, 64)
		}
	case *mmswire.ConnectFunnel:
		t.funnel(m, at)
	case *mmswire.OpenFile:
		t.opened = clean(m.FileName, 512)
		if c.URL == "" {
			c.URL = "mms://" + c.Server.String()
		}
		if t.d.text += int64(len(t.opened)); !t.hasPath() {
			c.URL += "/" + t.opened
		}
	case *mmswire.ReportReadBlock:
		if t.media != nil && t.media.awaited == nil {
			t.media.awaited = &at // the header comes as media does
		}
	case *mmswire.ReportStartedPlaying, *mmswire.ReportStartStriding:
		t.played(at)
	case *mmswire.StartPlaying, *mmswire.StartStriding:
		t.renewed()
	case *mmswire.ReportEndOfStream, *mmswire.StopPlaying, *mmswire.CloseFile:
		if t.media != nil && t.media.Stopped == nil {
			t.media.Stopped = &at
		}
	}
}

// hasPath reports whether the URL has the path of a file already: a second OpenFile opens another.
func (t *mmsTalk) hasPath() bool {
	for _, c := range t.conv.URL[len("mms://"):] {
		if c == '/' {
			return true
		}
	}
	return false
}

func (t *mmsTalk) played(at time.Time) {
	if t.media != nil {
		t.media.Played, t.media.Stopped = &at, nil
	}
}

// renewed notes that numbers may begin elsewhere.
func (t *mmsTalk) renewed() {
	if t.media == nil {
		return
	}
	for _, f := range t.media.Flows {
		for _, s := range f.Sources {
			s.meter.fresh = true
		}
	}
}

// funnel makes the media that a funnel asks for. Of UDP the name is true, of TCP nothing in it is.
func (t *mmsTalk) funnel(m *mmswire.ConnectFunnel, at time.Time) {
	c := t.conv
	media := &Media{Transport: "tcp", Client: c.Client.Addr(), Server: c.Server.Addr(), Flows: []*Flow{}}
	if name, err := mmswire.ParseFunnelName(m.FunnelName); err == nil && name.UDP {
		media.Transport, media.Ports = "udp", []uint16{uint16(name.Port)}
		if name.Addr.IsValid() {
			media.Client = name.Addr.Unmap()
		}
	}
	t.d.addMedia(c, media)
	t.media, t.flow = media, nil
	t.d.expect(media)
}

// packet counts a Data packet within the connection.
func (t *mmsTalk) packet(side int, p mmswire.Data, at time.Time) {
	if t.flow == nil {
		t.flow = &Flow{From: t.conv.Server, To: t.conv.Client, Interface: t.conv.Interface, Kind: "mms", ID: t.d.id()}
		if side == client {
			t.flow.From, t.flow.To, t.flow.toServer = t.conv.Client, t.conv.Server, true
		}
		if t.media == nil {
			t.media = &Media{Transport: "tcp", Client: netip.Addr{}, Server: t.conv.Server.Addr(), Flows: []*Flow{}}
			t.media.Client = t.conv.Client.Addr()
			t.d.addMedia(t.conv, t.media)
		}
		t.flow.media = t.media
		t.media.Flows = append(t.media.Flows, t.flow)
	}
	t.flow.observe(p.Bytes(), at, t.d.seed)
	t.d.media(t.conv, side, mmswire.DataHeaderSize+len(p.Payload), t.flow.lost(), at)
}
