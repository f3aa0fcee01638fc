package origin

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"mediagate/internal/asf"
)

// firstEntry is the X-Playlist-Gen-Id of a presentation's first entry; the next has the next number.
const firstEntry = 1

// rtxControl is the last part of the resend stream's URL; FFmpeg looks for it.
const rtxControl = "rtx"

// media is one stream that was set up.
type media struct {
	control string
	t       transport
	to      netip.AddrPort // UDP: where RTP goes
	toRTCP  netip.AddrPort // UDP: where RTCP goes, if the client has a pair
	number  uint8          // of the ASF stream
	thin    int            // 0 all, 1 key frames, 2 nothing; [MS-RTSP] 2.2.7.10
}

// session is one RTSP session. Its reader is the connection that its client uses at the time; its sender is a goroutine
// of its own.
type session struct {
	id     string
	server *Server
	name   string // path of the presentation
	file   *asf.File
	base   string // URL of the presentation as the client had it in its SETUP
	client netip.Addr

	mu       sync.Mutex // guards what follows; never held over I/O
	conn     *conn      // nil when the client has gone
	seen     time.Time
	rtx      *media
	rtxSSRC  uint32
	streams  []*media // ordinary ones, in the order they were set up
	flow     flow
	queue    resendQueue
	sent     counters
	entry    int // generation of the playlist entry
	position int // index of the next packet
	predict  bool
	playing  bool
	cancel   func()        // tells the sender to end; may be called twice
	finished chan struct{} // closed when the sender has ended
	stopped  bool
}

type counters struct{ packets, octets, timestamp uint32 }

// newSession makes a session of a client that has none. [MS-RTSP] 3.2.5.6.4.
func (s *Server) newSession(c *conn, f *asf.File, name, baseURL string) *session {
	e := &session{
		id: randomID(), server: s, name: name, file: f, base: baseURL, client: c.client.Addr(),
		conn: c, seen: time.Now(), entry: firstEntry, rtxSSRC: random32(),
		flow: flow{ssrc: random32(), seq: uint16(random32())},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.sessions[e.id] = e
	return e
}

func random64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

func random32() uint32 { return uint32(random64()) }

// randomID is a decimal number, as Windows Media Services have it, of at most 20 digits.
func randomID() string { return strconv.FormatUint(random64(), 10) }

// touch notes that the client lives, and on which connection.
func (e *session) touch(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conn, e.seen = c, time.Now()
}

func (e *session) uses(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conn == c
}

func (e *session) generation() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.entry
}

func (e *session) isRTX(ssrc uint32) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rtx != nil && e.rtxSSRC == ssrc
}

// features notes what the client can do. [MS-RTSP] 3.2.5.1.
func (e *session) features(h base.Header) {
	v := strings.Join(h["Supported"], ",")
	if v == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flow.place = strings.Contains(v, "com.microsoft.wm.locid")
	e.predict = strings.Contains(v, "com.microsoft.wm.predstrm")
}

// silent tells whether the session's time is over. [MS-RTSP] 3.2.5.2: there is no such time while media go over TCP.
// The five seconds are for what is on its way.
func (e *session) silent(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.playing && e.tcpLocked() && e.conn != nil {
		return false
	}
	timeout := e.server.cfg.Timeout
	return now.Sub(e.seen) > timeout+min(5*time.Second, timeout/4)
}

func (e *session) tcpLocked() bool { return len(e.streams) > 0 && e.streams[0].t.tcp }

// leave is called when a connection has ended: the session stops and waits for its client to come back, unless its
// media went with the connection. [MS-RTSP] 3.2.7.2.
func (e *session) leave(c *conn) (over bool) {
	e.mu.Lock()
	if e.conn != c {
		e.mu.Unlock()
		return false
	}
	e.conn = nil
	over = e.tcpLocked()
	e.mu.Unlock()
	e.halt()
	return over
}

func (e *session) closeConn() {
	e.mu.Lock()
	c := e.conn
	e.mu.Unlock()
	if c != nil {
		c.close()
	}
}

// halt ends the sender and waits for it. The position stays. It must not be called by the sender.
func (e *session) halt() {
	e.mu.Lock()
	cancel, finished := e.cancel, e.finished
	e.cancel, e.playing = nil, false
	e.mu.Unlock()
	if cancel != nil {
		cancel()
		<-finished
	}
}

// stop is halt for good.
func (e *session) stop() {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	e.halt()
}

// lost finds packets to send again, and where to. [MS-RTSP] 3.2.5.10.
func (e *session) lost(sequences []uint16) (packets [][]byte, to netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = time.Now()
	if e.rtx == nil {
		return nil, to
	}
	for _, seq := range sequences {
		if p := e.queue.find(seq); p != nil {
			packets = append(packets, p)
		}
	}
	return packets, e.rtx.to
}
