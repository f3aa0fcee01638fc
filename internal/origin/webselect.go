package origin

import (
	"fmt"
	"net/http"
	"time"

	"mediagate/internal/asf"
)

// sendsAnother tells whether media of another file are being sent.
func (e *webSession) sendsAnother(f *asf.File) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state != webIdle && e.file != f
}

// selectStream answers SelectStream and PlayNextEntry. In pipelined mode the request cuts the answer off that is being
// sent, and its own answer goes on in its place; else it comes on another connection and the media go on where they are.
// [MS-WMSP] 3.2.5.7 and 3.2.5.9.
func (v *visit) selectStream() bool {
	e := v.session
	e.turn.Lock()
	if !e.selectStreams(v.pragma, false) {
		e.turn.Unlock()
		return v.send(reply{status: http.StatusBadRequest})
	}
	r, state, data := e.now()
	switch {
	case state != webIdle && data == v.conn: // then it is in pipelined mode: else nobody reads its requests
		e.halt(v.conn)
		r, _, _ = e.now()
		return v.stream(reply{media: typeMedia, stream: true, chunked: true}, r, false)
	case state == webWaiting && data != nil:
		e.join()
		e.begin(data, r, false)
	}
	e.turn.Unlock()
	return v.send(reply{})
}

// join waits until the task has ended that is about to: a write that it is in has a deadline.
func (e *webSession) join() {
	e.mu.Lock()
	task := e.task
	e.mu.Unlock()
	if task != nil {
		<-task.finished
	}
}

// now is what is being sent, and where to.
func (e *webSession) now() (run, webState, *webConn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.run, e.state, e.conn
}

// pipeline answers the two Pipeline requests: the first one with a body whose end waits for the second. [MS-WMSP] 3.2.5.5.
func (v *visit) pipeline() bool {
	c := v.conn
	if !v.req.ProtoAtLeast(1, 1) || v.session.sendsTo(c) {
		return v.send(reply{status: http.StatusBadRequest})
	}
	if !c.probed {
		c.probed, c.probing = true, time.Now().Add(pipelineFor)
		if !v.send(reply{media: typeMedia, stream: true, chunked: true}) {
			return false
		}
		return c.media([]byte{frameMark, frameTest, 0, 0}) == nil
	}
	result := digit(!c.probing.IsZero())
	c.probed, c.probing = false, time.Time{}
	if c.finish() != nil {
		return false
	}
	return v.send(reply{status: http.StatusNoContent, tokens: []string{fmt.Sprintf("pipeline-result=%d", result)}})
}
