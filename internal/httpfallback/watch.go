package httpfallback

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mediagate/internal/sessionlog"
)

// What operators do to sessions that run: look at them, and end one. Both go by the tables that Proxy.mu guards: no
// session is asked, and none can keep who looks waiting.

// figures are what a tap has counted, for those who look while it counts.
type figures struct {
	packets, bytes counter
	first          atomic.Int64 // when the first packet began, in nanoseconds since 1970; 0: none has
}

// show lets others see what t has counted.
func (f *figures) show(t *tap) {
	f.packets.Store(t.packets)
	f.bytes.Store(t.bytes)
	if f.first.Load() == 0 && !t.first.IsZero() {
		f.first.Store(t.first.UnixNano())
	}
}

func (f *figures) addTo(t *sessionlog.Traffic) {
	t.Packets += f.packets.Load()
	t.Bytes += f.bytes.Load()
}

// Snapshot returns the records of all sessions as they are now (Record.Interim), oldest first: also of those that wait for
// their player's next request. It waits for nothing.
func (p *Proxy) Snapshot(context.Context) []*sessionlog.Record {
	p.mu.Lock()
	records := make([]*sessionlog.Record, 0, len(p.sessions))
	for _, s := range p.sessions {
		records = append(records, s.snapshotLocked(time.Now()))
	}
	p.mu.Unlock()
	slices.SortFunc(records, func(a, b *sessionlog.Record) int { return a.Start.Compare(b.Start.Time) })
	return records
}

// Look returns the record of one session as it is now, nil if there is none of that ID. It waits for nothing.
func (p *Proxy) Look(_ context.Context, id string) *sessionlog.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.sessions[id]; s != nil {
		return s.snapshotLocked(time.Now())
	}
	return nil
}

// snapshotLocked is the record with what the exchanges under way, and their connections, have counted so far.
func (s *session) snapshotLocked(now time.Time) *sessionlog.Record {
	r := *s.rec
	r.Drops, r.NodesTried = maps.Clone(r.Drops), slices.Clone(r.NodesTried)
	r.Duration = sessionlog.Seconds(now.Sub(r.Start.Time))
	r.Interim, r.End.Phase = true, s.outcome.phase
	if s.inFlight > 0 {
		r.End.Phase = sessionlog.PhaseDescribe
	}
	for ex := range s.exchanges {
		began := ex.seenFrom.first.Load()
		if began == 0 {
			continue
		}
		r.Mode, r.End.Phase = sessionlog.ModePlay, sessionlog.PhasePlay
		// The player has no more than what came before it: what is looked at later is later.
		ex.seenTo.addTo(&r.ToClient)
		ex.seenFrom.addTo(&r.FromOrigin)
		if first := sessionlog.SecondsAfter(r.Start.Time, time.Unix(0, began)); r.FirstMedia == nil || *first < *r.FirstMedia {
			r.FirstMedia = first
		}
	}
	for l := range s.links {
		l.addTo(&r, l.counts())
	}
	return &r
}

// report writes the record of a session that is long.
func (p *Proxy) report(s *session) {
	s.telling.Lock()
	defer s.telling.Unlock()
	p.mu.Lock()
	if s.ended {
		p.mu.Unlock()
		return
	}
	p.closing.Add(1) // Close waits until the record was handed over
	r := s.snapshotLocked(time.Now())
	s.interim.Reset(p.cfg.Interim)
	p.mu.Unlock()
	defer p.closing.Done()
	p.cfg.Record(r)
}

const (
	// killGrace is how long a stream that is killed may take to come to the end of a packet: there it can be ended as a
	// stream ends. What is not at one then is broken off.
	killGrace = time.Second
	// killPatience is how much of it a silent origin has.
	killPatience = killGrace / 2
	// killReason is what the player hears ([MS-WMSP] 2.2.3.4: an HRESULT): NS_E_CONNECTION_FAILURE.
	killReason = 0xC00D0029
)

// Kill ends a session: a framed stream with the end that the protocol has for one, at the next packet, all else by closing
// the player's connections. The origins' connections end with them, which is how a player leaves. by says
// who asked for it, for the record. It reports false if there is no such session.
func (p *Proxy) Kill(id, by string) bool {
	p.mu.Lock()
	s := p.sessions[id]
	if s == nil {
		p.mu.Unlock()
		return false
	}
	if s.killed == "" {
		s.killed = "killed by " + by
	}
	gentle := make(map[*link]bool)
	for ex := range s.exchanges {
		ex.kill.Store(true)
		if ex.tapped {
			gentle[ex.link] = true
			time.AfterFunc(p.killPatience, ex.cancel)
		}
	}
	links := slices.Collect(maps.Keys(s.links))
	idle := s.inFlight == 0
	if idle {
		s.outcome = s.slain()
		p.endLocked(s)
	}
	p.mu.Unlock()
	for _, l := range links {
		if gentle[l] {
			l.conn.endAfter(p.killGrace)
		} else {
			_ = l.conn.Conn.Close() // net/http notices and gives it back
		}
	}
	if idle {
		p.hand(s)
	}
	return true
}

// slain is the end of a session that was killed.
func (s *session) slain() end {
	phase := sessionlog.PhaseDescribe
	if s.rec.Mode == sessionlog.ModePlay {
		phase = sessionlog.PhasePlay
	}
	return end{who: sessionlog.WhoKilled, phase: phase, cause: sessionlog.Cause{Kind: sessionlog.Killed, Text: strings.TrimPrefix(s.killed, "killed by ")}}
}

// lastWords is what ends the stream of a session that was killed, and room how much of b may be read before: as far as the
// present packet goes. A body whose length is told, or that is not framed, has no such end.
func (ex *exchange) lastWords(b []byte) (words, room []byte) {
	t := &ex.fromOrigin
	if !ex.framed || t.raw {
		return nil, nil
	}
	if missing := t.missing(); missing > 0 {
		return nil, b[:min(len(b), missing)]
	}
	return []byte{frameMark | 0x80, 'E', 4, 0, killReason & 0xff, killReason >> 8 & 0xff, killReason >> 16 & 0xff, killReason >> 24}, nil
}

// missing is how many bytes the present packet still needs, as far as they are known; 0 between two packets.
func (t *tap) missing() int {
	switch {
	case t.left > 0:
		return t.left
	case t.have > 0:
		return t.need() - t.have
	}
	return 0
}

// isFramed says that the end of a body can be told in it: its length is not told before.
func isFramed(res *http.Response) bool {
	return res.ContentLength < 0 && !res.Uncompressed && res.Header.Get("Content-Encoding") == ""
}
