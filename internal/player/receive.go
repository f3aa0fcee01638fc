package player

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// endWait is how long the last packets may take after the end of stream was told.
const endWait = 2 * time.Second

// handle takes what a reader has read. The end of the media is errDone.
func (r *run) handle(e event) error {
	switch {
	case e.err != nil:
		return fmt.Errorf("player: read: %w", e.err)
	case e.request != nil:
		return r.requested(e.request)
	case e.packet != nil && e.pair == nil:
		r.interleaved(e)
	case e.packet != nil && !e.control:
		r.datagram(e)
	}
	return nil // RTCP, and answers to nothing, are not needed
}

// interleaved takes a packet over TCP.
func (r *run) interleaved(e event) {
	if r.desc == nil {
		return
	}
	for _, s := range r.desc.streams {
		if p, ok := parseRTP(e.packet); ok && s.channel == e.channel {
			r.take(p, len(e.packet), s.clock, nil, e)
		}
	}
}

// datagram takes a packet over UDP.
func (r *run) datagram(e event) {
	p, ok := parseRTP(e.packet)
	if !ok {
		return
	}
	if e.pair != r.rtx {
		r.heardFrom(e.from)
		r.take(p, len(e.packet), e.pair.clock, e.pair, e)
		return
	}
	if p.time == 0 && p.ssrc == r.rtxSSRC { // [MS-RTSP] 2.2.3.2 and 2.2.6.10.4
		r.noises++
		return
	}
	if f := r.flows[p.ssrc]; f != nil { // [MS-RTSP] 2.2.3.1: a copy to the last bit
		f.push(p, len(e.packet), true, e.at)
	}
}

// take takes a packet of media.
func (r *run) take(p rtp, size, clock int, from *pair, e event) {
	f := r.flows[p.ssrc]
	if f == nil {
		if len(r.flows) == maxFlows || !r.playing {
			return
		}
		f = newFlow(p.ssrc, clock, r.sink())
		f.pair = from
		r.flows[p.ssrc] = f
	}
	if r.firstAt.IsZero() {
		r.firstAt = e.at
		r.report.FirstPacket = e.at.Sub(r.began)
		r.step("first packet after %s", r.report.FirstPacket.Round(time.Millisecond))
	}
	f.push(p, size, false, e.at)
}

// sink is where a flow's packets go: into the file, if it is of its first entry.
func (r *run) sink() func(rtp, bool) {
	out, d := r.out, &depayloader{lost: true}
	if out == nil || r.report.EndOfStream {
		return func(rtp, bool) {}
	}
	return func(p rtp, gap bool) {
		if gap {
			d.gap()
		}
		for _, b := range d.push(p.payload, p.marker) {
			out.packet(b)
		}
	}
}

// requested answers a request of the origin.
func (r *run) requested(req *base.Request) error {
	switch {
	case req.Method == base.SetParameter && strings.HasPrefix(first(req.Header, "X-Notice"), "2101"):
		r.endOfStream(req)
		return r.respond(req, base.StatusOK)
	case req.Method == base.Announce:
		a, err := r.readAnnounce(req)
		if err != nil {
			r.step("announce refused: %v", err)
			return r.respond(req, base.StatusBadRequest)
		}
		r.announce = a
		return r.respond(req, base.StatusOK)
	case req.Method == base.Options || req.Method == base.GetParameter || req.Method == base.SetParameter:
		return r.respond(req, base.StatusOK)
	default:
		return r.respond(req, base.StatusNotImplemented)
	}
}

// endOfStream notes the end and what the last packet is. [MS-RTSP] 3.1.5.13.
func (r *run) endOfStream(req *base.Request) {
	r.report.EndOfStream = true
	if strings.Contains(string(req.Body), "End-Of-Playlist-Entry: true") {
		r.step("end of playlist entry")
		return
	}
	r.ended = time.Now()
	for _, part := range strings.Split(first(req.Header, "RTP-Info"), ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "seq") {
			v, _, _ = strings.Cut(v, ",")
			if n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 16); err == nil {
				r.last, r.hasLast = uint16(n), true
			}
		}
	}
}

// announcement is the next entry of a playlist. [MS-RTSP] 2.2.7.1.
type announcement struct {
	desc     *description
	entry    string
	selected []string // URLs of X-RTP-Info
	rtxSSRC  uint32
}

func (r *run) readAnnounce(req *base.Request) (*announcement, error) {
	d, err := parseDescription(req.Body, r.desc.base)
	if err != nil {
		return nil, err
	}
	a := &announcement{desc: d, entry: first(req.Header, "X-Playlist-Gen-Id")}
	for _, part := range strings.Split(first(req.Header, "X-RTP-Info"), ",") {
		var address string
		for _, field := range strings.Split(part, ";") {
			name, v, _ := strings.Cut(strings.TrimSpace(field), "=")
			switch strings.ToLower(name) {
			case "url":
				address = strings.Trim(v, `"`)
				a.selected = append(a.selected, address)
			case "ssrc":
				if n, err := strconv.ParseUint(v, 16, 32); err == nil && strings.HasSuffix(address, "/rtx") {
					a.rtxSSRC = uint32(n)
				}
			}
		}
	}
	return a, nil
}

// nextEntry goes on to the announced entry: with the streams that the origin selected, or else with new SETUPs.
// [MS-RTSP] 3.1.4.5, 3.1.5.15 and 3.1.5.16.1.
func (r *run) nextEntry(ctx context.Context) error {
	a := r.announce
	r.announce = nil
	for i, s := range a.desc.streams {
		if i < len(r.desc.streams) {
			s.channel = r.desc.streams[i].channel
		}
	}
	r.desc, r.entry = a.desc, a.entry
	h := base.Header{"X-Playlist-Seek-Id": {a.entry}}
	if len(a.selected) == 0 {
		if err := r.selectStreams(ctx); err != nil {
			return err
		}
	} else {
		r.rtxSSRC = a.rtxSSRC
		var parts []string
		for _, u := range a.selected {
			parts = append(parts, "url="+u)
		}
		h["X-Rtp-Info"] = base.HeaderValue{strings.Join(parts, ", ")}
	}
	r.step("announced: playlist entry %s", a.entry)
	_, err := r.do(ctx, base.Play, r.desc.base, h, nil)
	return err
}
