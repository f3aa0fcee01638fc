package origin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"mediagate/internal/asf"
)

// play answers PLAY; the sender starts when the answer has been sent. [MS-RTSP] 3.2.5.8.
func (x *exchange) play() answer {
	e := x.session
	if e == nil {
		return status(base.StatusSessionNotFound)
	}
	if e.count() == 0 {
		return status(base.StatusMethodNotValidInThisState)
	}
	if first(x.req.Header, "X-Playlist-Seek-Id") != "" && e.isPlaying() {
		// The client has come to the entry that we already send. [MS-RTSP] 3.1.5.16.1.
		return status(base.StatusOK)
	}
	e.halt()
	if v := first(x.req.Header, "Range"); v != "" {
		ms, ok := parseRange(v)
		if !ok {
			return status(base.StatusInvalidRange)
		}
		if ms >= 0 {
			e.seek(uint32(ms))
		}
	}
	info, at := e.playInfo()
	end := e.file.Duration
	a := status(base.StatusOK).with("RTP-Info", info).
		with("Range", fmt.Sprintf("npt=%s-%s", seconds(uint64(at)), seconds(max(end, uint64(at)))))
	a.after = func() error { e.start(); return nil }
	return a
}

// seconds writes milliseconds as npt has them.
func seconds(ms uint64) string { return fmt.Sprintf("%d.%03d", ms/1000, ms%1000) }

// parseRange reads the beginning of "npt=1.5-", in milliseconds; -1 is "now", which is where the session is. What is not
// npt is passed over, as RFC 2326, section 12.29 wants it of what is not understood.
func parseRange(v string) (ms int64, ok bool) {
	v, ok = strings.CutPrefix(strings.ReplaceAll(strings.ToLower(v), " ", ""), "npt=")
	if !ok {
		return -1, true
	}
	from, _, ok := strings.Cut(v, "-")
	if !ok {
		return 0, false
	}
	if from == "" || from == "now" {
		return -1, true
	}
	var whole float64
	for part := range strings.SplitSeq(from, ":") { // npt-hhmmss
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || !(f >= 0 && f < 1e7) {
			return 0, false
		}
		whole = whole*60 + f
	}
	return int64(whole * 1000), whole < 1e9
}

func (e *session) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.streams)
}

func (e *session) isPlaying() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.playing
}

// seek moves to that time.
func (e *session) seek(ms uint32) {
	at := keyBefore(e.file, ms)
	e.mu.Lock()
	e.position = at
	e.mu.Unlock()
}

// keyBefore is the last packet with a key frame before that time.
func keyBefore(f *asf.File, ms uint32) (at int) {
	for i, raw := range f.Packets {
		p, err := asf.ParsePacket(raw)
		if err != nil {
			continue
		}
		if p.SendTime > ms {
			break
		}
		if startsKey(f, p) {
			at = i
		}
	}
	return at
}

// startsKey tells whether a video key frame begins in the packet; a presentation without video can begin anywhere.
func startsKey(f *asf.File, p *asf.Packet) bool {
	video := map[uint8]bool{}
	for _, s := range f.Streams {
		if s.Kind == asf.Video {
			video[s.Number] = true
		}
	}
	return len(video) == 0 || slices.ContainsFunc(p.Payloads, func(l asf.Payload) bool {
		return video[l.Stream] && l.KeyFrame && l.Offset == 0
	})
}

// playInfo is the RTP-Info of the next packet and its send time. RFC 2326, section 12.33.
func (e *session) playInfo() (info string, at uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.position >= len(e.file.Packets) {
		e.position = 0
	}
	if e.position < len(e.file.Packets) {
		if p, err := asf.ParsePacket(e.file.Packets[e.position]); err == nil {
			at = p.SendTime
		}
	}
	var parts []string
	for _, m := range e.streams {
		parts = append(parts, fmt.Sprintf("url=%s/%s;seq=%d;rtptime=%d", e.base, m.control, e.flow.seq, at))
	}
	return strings.Join(parts, ", "), at
}

// start begins to send.
func (e *session) start() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped || e.cancel != nil {
		return
	}
	stop, finished := make(chan struct{}), make(chan struct{})
	e.cancel, e.finished, e.playing = sync.OnceFunc(func() { close(stop) }), finished, true
	e.server.wg.Go(func() {
		defer close(finished)
		e.stream(stop)
	})
}

// pause answers PAUSE. [MS-RTSP] 3.2.5.11.
func (x *exchange) pause() answer {
	e := x.session
	if e == nil {
		return status(base.StatusSessionNotFound)
	}
	if !e.isPlaying() {
		return status(base.StatusMethodNotValidInThisState)
	}
	e.halt()
	return status(base.StatusOK)
}
