package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

func (s *Server) traceText(w http.ResponseWriter, r *http.Request) {
	text, err := s.cfg.Gateway.TraceText(r.PathValue("id"))
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text) // who is gone needs no answer
}

func (s *Server) traceOn(w http.ResponseWriter, r *http.Request)  { s.trace(w, r, true) }
func (s *Server) traceOff(w http.ResponseWriter, r *http.Request) { s.trace(w, r, false) }

func (s *Server) trace(w http.ResponseWriter, r *http.Request, on bool) {
	if err := s.cfg.Gateway.Trace(r.PathValue("id"), on); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// capture streams pcapng until the session ends, a limit is reached, or the reader goes.
func (s *Server) capture(w http.ResponseWriter, r *http.Request) {
	opt, err := captureOf(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	out := &stream{w: w, control: http.NewResponseController(w)}
	if err := s.cfg.Gateway.Capture(r.Context(), r.PathValue("id"), opt, out); err != nil && !out.begun {
		fail(w, err)
	}
}

func captureOf(q url.Values) (o CaptureOptions, err error) {
	number := func(name string, bits int) (n uint64) {
		text := q.Get(name)
		if text == "" || err != nil {
			return 0
		}
		if n, err = strconv.ParseUint(text, 10, bits); err != nil {
			err = fmt.Errorf("%s %q is no number, or too large", name, text)
		}
		return n
	}
	o.Packets, o.Bytes, o.Snaplen = number("packets", 63), int64(number("bytes", 62)), int(number("snaplen", 16))
	if text := q.Get("duration"); text != "" && err == nil {
		if o.Duration, err = time.ParseDuration(text); err != nil || o.Duration <= 0 {
			err = fmt.Errorf("duration %q is no time such as 30s", text)
		}
	}
	return o, err
}

// stream is an answer that goes out as it is written.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

var _ io.Writer = (*stream)(nil)

// Write sends b, which a reader must take within answerIn.
func (s *stream) Write(b []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/x-pcapng")
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(answerIn)) // the write below tells what is wrong
	n, err := s.w.Write(b)
	if err == nil {
		err = s.control.Flush()
	}
	return n, err
}

// long takes the deadline of an answer away from one that takes as long as its asker wants.
func long(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // it is cut off otherwise
		next(w, r)
	}
}
