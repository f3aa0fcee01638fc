package player

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"mediagate/internal/asf"
)

const (
	// maxHTTPHead is the size of the greatest head of an answer, in bytes.
	maxHTTPHead = 64 << 10
	// keepAliveEvery is how long a session may be idle if the origin does not say. [MS-WMSP] 3.1.1: Keepalive-timeout.
	keepAliveEvery = 60 * time.Second
)

// httpRun is one try over HTTP: a Describe, a Play whose answer is the media, and other requests each on a connection of
// its own ([MS-WMSP] 1.3: non-pipelined mode). One goroutine, Play's, owns it; the reader of the media only feeds events.
// [MS-WMSP] 3.1.1 has the names of most of its state.
type httpRun struct {
	*attempt
	url    *url.URL
	conn   *httpConn // of the last exchange, if it can take another
	events chan httpEvent
	done   chan struct{} // closed when the run ends: the reader gives up
	wg     sync.WaitGroup
	broken bool      // the media's connection has ended
	heard  time.Time // when anything came last

	auth     *httpAuth
	cougar   int           // major version of Server-Version if that is "Cougar", else 0
	switches bool          // Server-features has SelectStream requests
	clientID string        // Client-ID, empty if the origin gave none
	entryID  string        // Playlist-gen-id, empty if it gave none
	timeout  time.Duration // Keepalive-timeout

	header  *httpHeader
	info    *asf.Info
	stream  *httpStream // of the entry that plays, nil before the first and between two
	out     *output
	entries int // headers that the answer to Play has brought

	playedAt time.Time // when the entry was asked for, or announced
	firstAt  time.Time // of the first packet of all
	ended    time.Time // when the end of an entry was told that others follow
	asked    time.Time // when we last said that we live
	changed  bool      // the next header is that of another entry
}

func newHTTPRun(p *attempt, u *url.URL) *httpRun {
	return &httpRun{
		attempt: p, url: u, events: make(chan httpEvent, 256), done: make(chan struct{}), timeout: keepAliveEvery,
	}
}

// play does everything, and leaves nothing behind.
func (r *httpRun) play(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.finish()) }()
	for _, step := range []func(context.Context) error{r.describe, r.startPlaying, r.receive} {
		if err = step(ctx); err != nil {
			break
		}
	}
	r.leave(ctx)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// leave ends the media's connection, and logs what came of it if that is not done yet. [MS-WMSP] 3.1.4.6.
func (r *httpRun) leave(ctx context.Context) {
	r.hangUp()
	if r.stream == nil || r.stream.flow.packets == 0 || r.broken {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownTimeout)
	defer cancel()
	r.sendLog(ctx, r.stream)
}

// hangUp closes the connection, if there is one.
func (r *httpRun) hangUp() {
	if r.conn != nil {
		_ = r.conn.Close() // nothing is left to be said on it
		r.conn = nil
	}
}

// finish ends the reader and completes the report.
func (r *httpRun) finish() error {
	close(r.done)
	r.hangUp()
	r.wg.Wait()
	if r.stream != nil {
		r.count(r.stream)
	}
	if r.out == nil {
		return nil
	}
	return r.out.finish()
}

// count adds what an entry has brought to the report; no more comes of it.
func (r *httpRun) count(s *httpStream) {
	s.flow.flush()
	s.flow.addTo(r.report)
	r.stream = nil
}

// describe asks for the header. [MS-WMSP] 3.1.4.2.1 and 3.1.5.5.
//
// Departs from [MS-WMSP] 3.1.4.2.1: the packet pair is asked for before the origin's version is known, as the example of
// 2.2.2.1 has it; there is no other request to ask for it in.
func (r *httpRun) describe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	defer cancel()
	pragma := []string{"no-cache"}
	if r.o.PacketPair {
		pragma = append(pragma, "packet-pair-experiment=1")
	}
	res, err := r.do(ctx, request{kind: "describe", method: "GET", pragma: pragma})
	if err != nil {
		return err
	}
	defer r.settle(res)
	conn := r.conn
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	header, in := &httpHeader{}, &frameReader{r: res.Body}
	var pairs [2]time.Time
	for !header.whole {
		p, err := in.next()
		if err != nil {
			return fmt.Errorf("player: describe: %w", r.cause(ctx, noEOF(err)))
		}
		switch p.id {
		case 'H':
			err = header.add(p)
		case 'M':
			r.metadata(p.payload)
		case 'P':
			r.pair(&pairs, in.pairs, p.size)
		}
		if err != nil {
			return err
		}
	}
	return r.described(header)
}

// pair takes the arrival of a $P packet, the n-th. [MS-WMSP] 3.1.5.6.
func (r *httpRun) pair(at *[2]time.Time, n, size int) {
	if n > len(at) {
		return
	}
	at[n-1] = time.Now()
	if d := at[1].Sub(at[0]); n == 2 && d > 0 {
		r.step("packet pair over http: %d kbit/s", int64(size)*8*int64(time.Second)/int64(d)/1000)
	}
}

// described reads a header that has come.
func (r *httpRun) described(h *httpHeader) error {
	info, err := asf.ParseHeader(h.b)
	if err != nil {
		return fmt.Errorf("player: read header: %w", err)
	}
	r.info, r.report.Streams = info, len(info.Streams)
	if r.out == nil && r.o.Output != nil {
		r.out = newOutput(r.o.Output, info)
	}
	r.step("got the header: %d bytes in %d packets, %d streams", len(h.b), h.parts, len(info.Streams))
	return nil
}
