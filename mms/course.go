package mms

import (
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/udprelay"
)

// course is how far what a session plays has run, for the record. It decides nothing about the relay.
type course struct {
	since   time.Time     // when the origin agreed to play; zero: nothing is to run
	first   time.Time     // when it first was
	ran     time.Duration // the longest time that it was to run before that
	ended   time.Time     // when a CloseFile ended what ran
	at      time.Duration // place in the content at since
	length  time.Duration // of the content, 0: not known, or live
	known   bool          // at is
	last    time.Time     // when media last came over UDP
	refused uint64        // packets that were answered with ICMP port unreachable
}

// from notes where the player asked to begin, in seconds. [MS-MMSP] 2.2.4.25: math.MaxFloat64 when it names no time.
func (c *course) from(position float64) {
	c.stop(time.Now())
	c.known = position >= 0 && position <= longest
	c.at = seconds(position)
}

// longest is the longest content in seconds whose places are told: a year.
const longest = 366 * 24 * 3600

// seconds is a span that the other side named; one that makes no sense is 0.
func seconds(s float64) time.Duration {
	if !(s >= 0 && s <= longest) {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

// start notes that media is to run.
func (c *course) start(now time.Time) {
	c.stop(now)
	c.since, c.ended = now, time.Time{}
	if c.first.IsZero() {
		c.first = now
	}
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

// finish is stop for what the player ended.
func (c *course) finish(now time.Time) {
	if !c.since.IsZero() {
		c.stop(now)
		c.ended = now
	}
}

// placed is a cause of a kind with the place that the content had come to.
func (c *course) placed(kind sessionlog.Kind) sessionlog.Cause {
	at := c.at
	if !c.since.IsZero() {
		at += time.Since(c.since)
	}
	if c.length > 0 {
		at = min(at, c.length) // the origin sends faster than it plays
	}
	return sessionlog.Cause{Kind: kind, At: at, Length: c.length, Placed: c.known && c.length > 0}
}

// heard takes over what a flow tells.
func (c *course) heard(st udprelay.Stats) {
	c.refused += st.ClientICMP.PortUnreachable
	if st.LastMedia.After(c.last) {
		c.last = st.LastMedia
	}
}

// facts is what the record's conclusion needs beside its figures; lastData is when media last came over TCP, unix
// nanoseconds, 0 for never.
func (c *course) facts(lastData int64) sessionlog.Facts {
	until := c.ended
	if !c.since.IsZero() {
		until = time.Now()
		c.stop(until)
	}
	f := sessionlog.Facts{Played: c.ran, Refused: c.refused}
	last := c.last
	if t := time.Unix(0, lastData); lastData != 0 && t.After(last) {
		last = t
	}
	if !until.IsZero() && !last.IsZero() && (c.length == 0 || c.at < c.length) {
		f.Silent = max(0, until.Sub(last))
	}
	return f
}
