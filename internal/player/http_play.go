package player

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Reasons of $E and $C that are no errors and no ordinary ends. [MS-WMSP] 2.2.3.2 and 2.2.3.4.
const (
	reasonMore     = 0x00000001 // $E: another entry follows
	reasonPrevious = 0x400d14be // $C: the server goes back to the entry before
)

// startPlaying selects all streams and starts, on the connection of the Describe if that is still there. [MS-WMSP]
// 3.1.4.3.1.
func (r *httpRun) startPlaying(ctx context.Context) error {
	pragma := append([]string{
		fmt.Sprintf("no-cache,rate=1.000,stream-time=%d,stream-offset=4294967295:4294967295,packet-num=4294967295,max-duration=0",
			max(r.o.Start, 0).Milliseconds()),
		"xPlayStrm=1",
	}, r.selection()...)
	if r.entryID != "" {
		pragma = append(pragma, "playlist-gen-id="+r.entryID)
	}
	r.playedAt = time.Now()
	res, err := r.do(ctx, request{kind: "play", method: "GET", pragma: pragma})
	if err != nil {
		return err
	}
	r.step("playing")
	r.heard, r.header = time.Now(), &httpHeader{}
	r.wg.Go(func() { r.read(res) })
	return nil
}

// selection turns all streams of the entry on. [MS-WMSP] 2.2.1.4.26 and 2.2.1.4.27.
func (r *httpRun) selection() []string {
	var entries []string
	for _, s := range r.info.Streams {
		entries = append(entries, fmt.Sprintf("ffff:%x:0", s.Number))
	}
	return []string{
		fmt.Sprintf("stream-switch-count=%d", len(entries)), "stream-switch-entry=" + strings.Join(entries, " "),
	}
}

// read reads the media until they or their connection end.
func (r *httpRun) read(res *http.Response) {
	in := &frameReader{r: res.Body}
	for {
		p, err := in.next()
		select {
		case r.events <- httpEvent{frame: p, err: err, at: time.Now()}:
		case <-r.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// receive handles what comes until the media is over.
func (r *httpRun) receive(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return fmt.Errorf("player: play: %w", context.Cause(ctx))
		case e := <-r.events:
			err = r.handle(ctx, e)
		case now := <-tick.C:
			err = r.tick(ctx, now)
		}
		if err != nil {
			return err
		}
	}
}

// handle takes what the reader has read. [MS-WMSP] 3.1.5.2.
func (r *httpRun) handle(ctx context.Context, e httpEvent) error {
	r.heard = e.at
	if e.err != nil {
		r.broken = true
		return fmt.Errorf("player: read: %w", noEOF(e.err))
	}
	switch e.id {
	case 'M':
		r.metadata(e.payload)
	case 'H':
		return r.takeHeader(ctx, e.frame)
	case 'D':
		r.take(e)
	case 'E':
		return r.endOfStream(ctx, e.reason)
	case 'C':
		return r.streamChange(e.reason)
	}
	return nil // $P and $T are not asked for here
}

// metadata takes the identifier of the entry, which the first part of $M begins with. [MS-WMSP] 2.2.3.6.
func (r *httpRun) metadata(b []byte) {
	text, _, _ := strings.Cut(string(b), "\x00")
	if id := pragmaTokens([]string{text})["playlist-gen-id"]; id != "" {
		r.entryID = id
	}
}

// takeHeader takes a part of the header that comes before the packets of an entry. Those of another entry than the first
// are asked for. [MS-WMSP] 3.1.5.8 and 3.1.4.5.
func (r *httpRun) takeHeader(ctx context.Context, p frame) error {
	if err := r.header.add(p); err != nil || !r.header.whole {
		return err
	}
	if err := r.described(r.header); err != nil {
		return err
	}
	r.newStream()
	if !r.changed {
		return nil
	}
	r.changed, r.playedAt = false, time.Now()
	r.step("next entry")
	if !r.switches {
		return nil
	}
	pragma := append([]string{"no-cache"}, r.selection()...)
	return r.aside(ctx, request{kind: "select streams", method: "POST", pragma: pragma})
}

// newStream is for the packets of an entry. Those of the first go into the file.
func (r *httpRun) newStream() {
	out := r.out
	if r.entries++; r.entries > 1 {
		out = nil
	}
	r.stream = newHTTPStream(func(p rtp, _ bool) {
		if out != nil {
			out.packet(p.payload)
		}
	})
}

// take takes a packet of the file. [MS-WMSP] 3.1.5.12.
func (r *httpRun) take(e httpEvent) {
	if r.stream == nil { // of a server that does not send the header again
		r.newStream()
	}
	if r.firstAt.IsZero() {
		r.firstAt = e.at
		r.report.FirstPacket = e.at.Sub(r.began)
		r.step("first packet after %s", r.report.FirstPacket.Round(time.Millisecond))
	}
	r.stream.push(e.frame, e.at)
}

// endOfStream ends an entry and logs it. [MS-WMSP] 3.1.5.13.
func (r *httpRun) endOfStream(ctx context.Context, reason uint32) error {
	if err := failed("play", reason); err != nil {
		return err
	}
	r.report.EndOfStream = true
	if reason != reasonMore {
		r.hangUp() // nothing more comes on it, and nobody has to wait for what the log says of it
	}
	if s := r.stream; s != nil {
		r.count(s)
		r.sendLog(ctx, s)
	}
	if reason != reasonMore {
		r.step("end of stream")
		return errDone
	}
	r.step("end of playlist entry")
	r.ended, r.asked = time.Now(), time.Now()
	return nil
}

// streamChange begins another entry, whose header follows. [MS-WMSP] 3.1.5.14.
func (r *httpRun) streamChange(reason uint32) error {
	if err := failed("go on to the next entry", reason); err != nil {
		return err
	}
	if reason == reasonPrevious {
		return fmt.Errorf("player: play: %w 0x%08x: it goes back to the entry before", errResult, reason)
	}
	if s := r.stream; s != nil {
		if r.count(s); s.flow.packets == 0 {
			r.entries-- // [MS-WMSP] 2.2.1.4.7: a header that none of its packets followed
		}
	}
	r.header, r.changed, r.ended, r.playedAt = &httpHeader{}, true, time.Time{}, time.Now()
	return nil
}

// tick does what is due.
func (r *httpRun) tick(ctx context.Context, now time.Time) error {
	idle := !r.ended.IsZero()
	switch {
	case idle && now.Sub(r.ended) > changeTimeout:
		return fmt.Errorf("player: play: the next entry did not come in time")
	case idle && now.Sub(r.asked) > r.timeout/2:
		// [MS-WMSP] 3.1.6.1, and half the time as an answer may be late.
		r.asked = now
		return r.aside(ctx, request{kind: "keep alive", method: "POST", pragma: []string{"no-cache", "xKeepAliveInPause=1"}})
	case !idle && (r.stream == nil || r.stream.flow.packets == 0) && now.Sub(r.playedAt) > mediaTimeout:
		return ErrNoMedia
	case r.o.Duration > 0 && !r.firstAt.IsZero() && now.Sub(r.firstAt) >= r.o.Duration:
		r.step("played for %s", r.o.Duration)
		return errDone
	case now.Sub(r.heard) > silenceTimeout:
		return fmt.Errorf("player: play: nothing came for %s", silenceTimeout)
	}
	return nil
}

// aside makes a request on a connection of its own while the media's is in use. [MS-WMSP] 1.3: non-pipelined mode.
func (r *httpRun) aside(ctx context.Context, q request) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	defer cancel()
	media := r.conn
	r.conn = nil
	defer func() {
		r.hangUp()
		r.conn = media
	}()
	q.last = true
	res, err := r.do(ctx, q)
	if err != nil {
		return err
	}
	_ = r.conn.SetReadDeadline(time.Now().Add(answerTimeout)) // fails with the read
	_, _ = io.CopyN(io.Discard, res.Body, maxDrained)         // it should be empty
	return nil
}
