package origin

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mediagate/internal/asf"
)

// webState is Session-State of [MS-WMSP] 3.2.1; INIT is IDLE.
type webState uint8

const (
	webIdle      webState = iota
	webStreaming          // a task sends
	webWaiting            // for the client to say what it wants of the next entry of a playlist
)

// webSession is a session of [MS-WMSP] 3.2.1: what a client-id stands for.
type webSession struct {
	web *web
	id  uint32

	turn sync.Mutex // of requests that begin or end the sending; held until the task before has ended

	mu         sync.Mutex // guards what follows; never held over I/O
	conn       *webConn   // Data-Connection; nil: none
	task       *mmsTask
	state      webState
	file       *asf.File
	name       string
	selected   selection
	run        run // what is being sent, or would go on
	entry      int // of the playlist
	plays      int
	sequence   uint32
	client     agent
	predictive bool // the client lets us choose streams of the next entry
	heard      time.Time
}

func newWebSession(w *web, id uint32) *webSession {
	return &webSession{web: w, id: id, entry: firstEntry, predictive: true, heard: time.Now()}
}

// hear notes a request. [MS-WMSP] 3.2.5.1: Client-Version, Client-features and the Idle-Timeout timer.
func (e *webSession) hear(client agent, h http.Header) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard, e.client = time.Now(), client
	if list := h.Values("Supported"); len(list) > 0 {
		e.predictive = strings.Contains(strings.Join(list, ","), "com.microsoft.wm.predstrm")
	}
}

// silent tells whether the session is over by its age.
func (e *webSession) silent(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state != webStreaming && now.Sub(e.heard) > e.web.server.cfg.Timeout
}

// sendsTo tells whether the session's media go into that connection, now or when the client goes on.
func (e *webSession) sendsTo(c *webConn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state != webIdle && e.conn == c
}

func (e *webSession) closeConn() {
	e.mu.Lock()
	c := e.conn
	e.mu.Unlock()
	if c != nil {
		c.close()
	}
}

// halt ends the sending and waits for that; a write that it is in has a deadline. An answer in chunks ends, one without
// ends with its connection, unless that is by's own.
func (e *webSession) halt(by *webConn) {
	e.mu.Lock()
	task, conn := e.task, e.conn
	e.task, e.conn, e.state = nil, nil, webIdle
	e.heard = time.Now()
	e.mu.Unlock()
	if task != nil {
		task.cancel()
	}
	if conn != nil && conn != by && !conn.inChunks() {
		conn.close()
	}
	if task != nil {
		<-task.finished
	}
	if conn != nil {
		_ = conn.finish() // a connection that has ended has nothing to end
	}
}

// begin has the run sent into a connection, from a task of its own. Whoever calls it has its turn and has called halt.
func (e *webSession) begin(c *webConn, r run, header bool) {
	stop, finished := make(chan struct{}), make(chan struct{})
	t := &mmsTask{cancel: sync.OnceFunc(func() { close(stop) }), finished: finished}
	e.mu.Lock()
	e.conn, e.task, e.state, e.run = c, t, webStreaming, r
	e.mu.Unlock()
	e.web.server.wg.Go(func() {
		defer close(finished)
		e.send(newClock(stop), c, r, header)
	})
}

// selectStreams obeys stream-switch-entry. It returns false if there is nothing to choose from.
func (e *webSession) selectStreams(p pragma, anew bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file == nil {
		return false
	}
	entries := p.entries()
	if len(entries) == 0 {
		return true
	}
	if anew {
		e.selected = selection{}
	}
	e.selected.change(e.file, entries, e.state == webStreaming)
	return true
}

// features are the properties of what is played. [MS-WMSP] 2.2.1.4.8.
func (e *webSession) features() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []string{"seekable"}
	if e.web.server.cfg.Playlist {
		list = append(list, "playlist")
		if e.client.major < 9 { // [MS-WMSP] 2.2.1.4.8.1 and 2.2.1.4.8.5
			list = []string{"broadcast", "playlist"}
		}
		if e.entry != firstEntry {
			list = slices.Insert(list, 0, "last")
		}
	}
	return strings.Join(list, ",")
}
