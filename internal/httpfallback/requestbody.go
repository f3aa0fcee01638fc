package httpfallback

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// counter is a number of bytes that one goroutine adds to and another reads.
type counter = atomic.Uint64

// bodiesFactor is how many of the largest bodies are held at once; more wait for nobody and get 503.
const bodiesFactor = 64

// readBody reads a request's body whole, so that another node can be asked with the same one. free gives its room back.
func (p *Proxy) readBody(w http.ResponseWriter, ex *exchange) (free func(), err error) {
	n := ex.in.ContentLength
	switch {
	case n <= 0:
		return func() {}, nil
	case n > p.cfg.Limits.Body:
		return func() {}, errBodyLarge
	}
	free = func() { p.bodies.Add(-n) }
	if p.bodies.Add(n) > bodiesFactor*p.cfg.Limits.Body {
		return free, errBodyRoom
	}
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Now().Add(p.cfg.Timeouts.Message)); err != nil {
		return free, err
	}
	ex.body, err = io.ReadAll(io.LimitReader(ex.in.Body, n)) // grows as it comes
	if err != nil || int64(len(ex.body)) < n {
		return free, errBodySlow
	}
	// Without this the deadline would end the response too: net/http reads on, to notice a client that goes away.
	return free, rc.SetReadDeadline(time.Time{})
}
