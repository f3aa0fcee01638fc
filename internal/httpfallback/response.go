package httpfallback

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
)

// take reads what an answer says to the gateway, and puts the tap on its body.
func (p *Proxy) take(res *http.Response) error {
	ex := exchangeOf(res.Request.Context())
	if res.StatusCode == http.StatusSwitchingProtocols {
		return errSwitched
	}
	said := readPragma(res.Header)
	ex.timeout = said.timeout
	if said.clientID != "" {
		p.mu.Lock()
		p.players.issued(ex.session.player, said.clientID, ex.link.client.Addr())
		p.mu.Unlock()
	}
	// The pipelined mode of [MS-WMSP] asks for answers while one is being sent, which ReverseProxy does not do: the test for
	// it fails here, and as soon as it can, instead of after the origin's timer (3.2.5.5: a second).
	if ex.pragma.pipeline {
		replaceToken(res.Header, "pipeline-result", "pipeline-result=0")
		ex.cut = ex.link.pin == nil
	}
	replaceToken(res.Header, "pipeline-experiment", "pipeline-experiment=0") // 3.1.5.5: a player then makes no such test
	chunked := len(res.TransferEncoding) > 0 && res.TransferEncoding[0] == "chunked"
	ex.identity = res.ContentLength < 0 && !chunked
	ex.media = res.StatusCode < http.StatusMultipleChoices && mayBeMedia(res.Header.Get("Content-Type")) || ex.cut
	ex.framed = ex.media && isFramed(res)
	res.Body = &source{ReadCloser: res.Body, ex: ex}
	return nil
}

// mayBeMedia goes by the type: [MS-WMSP] 2.2.1.2, and what web servers call media. A type that lacks may be anything.
func mayBeMedia(contentType string) bool {
	t, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch t = strings.TrimSpace(t); t {
	case "application/x-mms-framed", "application/octet-stream", "application/vnd.ms.wms-hdr.asfv1", "":
		return true
	}
	return strings.HasPrefix(t, "audio/") || strings.HasPrefix(t, "video/")
}

// source is the body of an origin's answer.
type source struct {
	io.ReadCloser
	ex    *exchange
	begun bool
	said  bool // the last words of a session that was killed
}

func (s *source) Read(b []byte) (int, error) {
	ex := s.ex
	if ex.cut && ex.fromOrigin.tested {
		return 0, io.EOF
	}
	if s.said {
		return 0, io.EOF
	}
	if ex.kill.Load() {
		words, room := ex.lastWords(b)
		if words != nil {
			s.said = true
			return copy(b, words), nil
		}
		if room != nil {
			b = room
		}
	}
	n, err := s.ReadCloser.Read(b)
	if ex.kill.Load() && errors.Is(err, context.Canceled) && n == 0 {
		words, _ := ex.lastWords(b)
		s.said = true
		return copy(b, words), nil
	}
	if n > 0 && !s.begun {
		s.begun = true
		ex.media = ex.media && b[0] != '<' && b[0] != '[' // .asx and [Reference] files go by types of media
	}
	if ex.media {
		ex.fromOrigin.feed(b[:n], time.Now())
		ex.seenFrom.show(&ex.fromOrigin)
		ex.noteStream()
	}
	if err != nil && err != io.EOF {
		ex.originErr = err
	}
	return n, err
}

// noteStream counts the exchange among the streams of its session once media has begun.
func (ex *exchange) noteStream() {
	if ex.tapped || !ex.streamed() {
		return
	}
	ex.proxy.mu.Lock()
	defer ex.proxy.mu.Unlock()
	ex.tapped = true
	ex.session.streaming++
}

// fail answers a request that no origin answered.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	ex := exchangeOf(r.Context())
	ex.err = err
	if errors.Is(err, context.Canceled) && ex.in.Context().Err() != nil {
		ex.clientErr = err
	}
	v := judged(err)
	ex.log.Info("request failed", zap.Int("status", v.status), zap.Error(err))
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(v.status)
}
