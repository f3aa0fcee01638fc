package rtsp

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// course is how far what a conversation plays has run, for the record. It decides nothing about the relay.
type course struct {
	since     time.Time     // when the origin agreed to play; zero: nothing is to run
	first     time.Time     // when it first did
	ran       time.Duration // the longest time that it was to run before that
	ended     time.Time     // when a TEARDOWN ended what ran
	at        time.Duration // place in the content at since
	length    time.Duration // of the content, 0: not known
	known     bool          // at is
	last      time.Time     // when media last came from the origin over UDP, as far as flows were counted
	reports   uint64        // blocks in the player's reports
	unknowing uint64        // reports without one
	refused   uint64        // packets that were answered with ICMP port unreachable
}

// start notes that media is to run, from where the origin says (RFC 2326, section 12.29). A PLAY at another speed than
// normal has no place: nothing here counts it.
func (c *course) start(now time.Time, answer *rtspwire.Header) {
	c.stop(now)
	c.since, c.ended = now, time.Time{}
	c.first = earliest(c.first, now)
	at, length, ok := nptRange(answer.Get("Range"))
	scale := answer.Get("Scale")
	factor, err := strconv.ParseFloat(scale, 64)
	switch {
	case ok:
		c.at, c.known = at, true
		c.length = max(c.length, length)
	case answer.Has("Range"):
		c.known = false // a clock's time, or now
	}
	c.known = c.known && (scale == "" || err == nil && factor == 1)
}

// stop notes that media is to run no more.
func (c *course) stop(now time.Time) {
	if c.since.IsZero() {
		return
	}
	d := now.Sub(c.since)
	c.ran = max(c.ran, d)
	c.at += d
	c.since = time.Time{}
}

// placed is a cause of a kind with the place that the content had come to. The end of a conversation has stopped it.
func (c *course) placed(kind sessionlog.Kind) sessionlog.Cause {
	at := c.at
	if !c.since.IsZero() {
		at += time.Since(c.since)
	}
	if c.length > 0 {
		at = min(at, c.length) // the origin sends faster than it plays, or the player pauses without a word
	}
	return sessionlog.Cause{Kind: kind, At: at, Length: c.length, Placed: c.known}
}

// played says that media was to run at some time.
func (c *course) played() bool { return !c.since.IsZero() || c.ran > 0 }

// heard takes over what a flow tells.
func (c *course) heard(st udprelay.Stats) {
	c.reports += st.Reports
	c.unknowing += st.EmptyReports
	c.refused += st.ClientICMP.PortUnreachable
	if st.LastMedia.After(c.last) {
		c.last = st.LastMedia
	}
}

// nptRange reads a Range in normal play time (RFC 2326, section 3.6): where it begins and ends, 0 when it does not say.
func nptRange(value string) (from, to time.Duration, ok bool) {
	value, _, _ = strings.Cut(value, ";")
	span, found := strings.CutPrefix(strings.TrimSpace(value), "npt=")
	if !found {
		return 0, 0, false
	}
	first, last, _ := strings.Cut(span, "-")
	if from, ok = npt(first); !ok {
		return 0, 0, false
	}
	to, _ = npt(last)
	return from, to, true
}

// npt reads one time: seconds, or hours, minutes and seconds. What is longer than a year is none.
func npt(text string) (time.Duration, bool) {
	const year = 366 * 24 * 3600
	var total float64
	for part := range strings.SplitSeq(strings.TrimSpace(text), ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || !(n >= 0) {
			return 0, false
		}
		if total = total*60 + n; !(total < year) {
			return 0, false
		}
	}
	return time.Duration(total * float64(time.Second)), true
}

// noteAnswer takes from the origin's answer what the record needs to say why the player may go.
func (s *session) noteAnswer(ex *exchange, resp *rtspwire.Response) {
	now, ok := time.Now(), resp.Status < 300
	switch method := ex.in.Method; {
	case resp.Status >= 400:
		s.declined = s.declinedBy(ex, resp.Status)
	case method != methodOptions:
		s.declined = sessionlog.Cause{}
	}
	switch ex.in.Method {
	case methodPlay:
		if ok {
			s.course.start(now, &resp.Header)
		}
	case methodPause:
		if ok {
			s.course.stop(now)
		}
	case methodTeardown:
		if !s.course.since.IsZero() {
			s.course.stop(now)
			s.course.ended = now
		}
	}
}

func (s *session) declinedBy(ex *exchange, status int) sessionlog.Cause {
	c := s.ofOrigin(sessionlog.AfterStatus, 0)
	c.Text = ex.in.Method + " with " + strconv.Itoa(status)
	switch {
	case status == 401 && ex.in.Header.Has("Authorization"):
		c.Kind = sessionlog.AfterBadPassword
	case status == 401:
		c.Kind = sessionlog.AfterNoPassword
	case status == 404:
		c.Kind = sessionlog.AfterNotFound
	}
	return c
}

// afterRefusal is the cause of a refusal of the gateway's own.
func afterRefusal(err error) sessionlog.Cause {
	c := sessionlog.Cause{Kind: sessionlog.AfterRefusal, Text: err.Error()}
	for _, row := range []struct {
		err  error
		kind sessionlog.Kind
	}{
		{balancer.ErrNoNode, sessionlog.AfterNoNode},
		{udprelay.ErrPortsExhausted, sessionlog.AfterNoPorts},
	} {
		if errors.Is(err, row.err) {
			c.Kind = row.kind
		}
	}
	return c
}

// facts is what the record's conclusion needs beside its figures, which have been summed up.
func (s *session) facts() sessionlog.Facts {
	c := &s.course
	until := c.ended
	if !c.since.IsZero() {
		until = time.Now()
		if !s.left.IsZero() && !s.left.Before(c.since) {
			until = s.left
		}
		c.stop(until)
	}
	if s.streamEnd || !s.over.IsZero() && !s.tornDown {
		return sessionlog.Facts{} // it came to its end: that nothing came any more is as it should be
	}
	f := sessionlog.Facts{Played: c.ran, Reports: c.reports, Refused: c.refused, Unknowing: c.unknowing}
	last := c.last
	if n := s.lastFrame.Load(); n != 0 && time.Unix(0, n).After(last) {
		last = time.Unix(0, n)
	}
	if !until.IsZero() && !last.IsZero() && (c.length == 0 || c.at < c.length) {
		f.Silent = max(0, until.Sub(last))
	}
	return f
}
