package decode

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The levels of findings, the worst first.
const (
	levelError   = "error"
	levelWarning = "warning"
	levelNote    = "note"
)

const (
	quiet   = 3 * time.Second // without media while it should come
	settles = time.Second     // a capture that ends sooner after PLAY has not seen enough
)

// refusal is an answer that was an error.
type refusal struct {
	status int
	hr     uint32
	method string
	url    string
	count  int
}

const maxRefusals = 64

// refused notes an answer of RTSP or HTTP that is an error.
func (d *decoder) refused(c *Conversation, status int, method, url string) {
	c.addRefusal(refusal{status: status, method: method, url: url})
}

// failedResult notes an answer of MMS or Windows Media HTTP that is an error.
func (d *decoder) failedResult(c *Conversation, message string, hr uint32) {
	c.addRefusal(refusal{hr: hr, method: message})
}

func (c *Conversation) addRefusal(r refusal) {
	for i := range c.refusals {
		if q := &c.refusals[i]; q.status == r.status && q.hr == r.hr && q.method == r.method {
			q.count++
			return
		}
	}
	if r.count = 1; len(c.refusals) < maxRefusals {
		c.refusals = append(c.refusals, r)
	}
}

// find adds a finding.
func (d *decoder) find(level, code string, conv int, format string, args ...any) {
	if len(d.rep.Findings) >= d.lim.Findings {
		d.left.findings++
		return
	}
	d.rep.Findings = append(d.rep.Findings, Finding{Level: level, Code: code, Conversation: conv, Text: fmt.Sprintf(format, args...)})
}

// judge says what is wrong, conversation after conversation, and of the capture itself.
func (d *decoder) judge() {
	if d.rep.File.Cut != "" {
		d.find(levelWarning, "file-cut", 0, "%s; what came before it was read", d.rep.File.Cut)
	}
	d.judgeTold()
	for _, c := range d.rep.Conversations {
		d.judgeRefusals(c)
		d.judgeEnd(c)
		for _, m := range c.Media {
			d.judgeMedia(c, m)
		}
		d.judgeGaps(c)
	}
	for _, f := range d.rep.Strays {
		d.find(levelWarning, "stranger", 0, "%s of media from %s to %s that no conversation of this capture asked for%s", plural(f.Packets, "packet"), f.From, f.To, lossWords(f))
	}
	d.judgeDead()
	slices.SortStableFunc(d.rep.Findings, func(a, b Finding) int {
		order := []string{levelError, levelWarning, levelNote}
		return slices.Index(order, a.Level) - slices.Index(order, b.Level)
	})
	if len(d.rep.Conversations) == 0 {
		d.find(levelNote, "nothing", 0, "no conversation of RTSP, MMS or Windows Media HTTP in this capture")
	}
}

// judgeTold repeats what the gateway wrote of the session that the file is of. It saw what no capture has.
func (d *decoder) judgeTold() {
	switch {
	case d.told == "":
	case strings.HasPrefix(d.told, "-"): // a proper end
		d.find(levelNote, "told", 0, "the gateway says of this session: %s", d.told)
	default:
		d.find(levelWarning, "told", 0, "the gateway says of this session: %s", d.told)
	}
}

// judgeRefusals says what errors mean. A refusal that the player has an answer to, credentials or another transport, is
// no more than a note if things went on after it.
func (d *decoder) judgeRefusals(c *Conversation) {
	played := slices.ContainsFunc(c.Media, func(m *Media) bool { return m.Played != nil })
	for _, r := range c.refusals {
		level, code, text := levelError, "refused", ""
		times := ""
		if r.count > 1 {
			times = fmt.Sprintf(", %d times", r.count)
		}
		if r.hr != 0 {
			text = fmt.Sprintf("%s has the result %s%s", r.method, resultText(r.hr), times)
		} else {
			text = fmt.Sprintf("%s was answered with %d%s: %s", orRequest(r.method), r.status, times, orUnknown(statusMeanings[r.status]))
		}
		switch {
		case played && (r.status == 401 || r.status == 407 || r.status == 461):
			level = levelNote
		case r.status == 401 || r.status == 407:
			code = "credentials"
			if r.count == 1 {
				text += "; the player did not try again"
			}
		case played && r.method != "PLAY":
			level = levelWarning
		}
		switch next := d.nextTry(c); {
		case r.status == 404 && c.Protocol == "wmsp" && r.url == "/":
			level, text = levelNote, text+"; so a monitor asks whether the server is there"
		case next > 0 && !played:
			level, text = levelWarning, fmt.Sprintf("%s; the player went on and plays in conversation [%d]", text, next)
		}
		d.find(level, code, c.ID, "%s", text)
	}
}

// nextTry finds the conversation in which a player plays that was refused in another: players go from one way to the next.
func (d *decoder) nextTry(c *Conversation) int {
	const rollover = time.Minute
	for _, o := range d.rep.Conversations {
		wait := o.Start.Sub(c.Start)
		if o != c && o.Client.Addr() == c.Client.Addr() && wait >= 0 && wait < rollover &&
			(path(c.URL) == "" || path(o.URL) == path(c.URL)) && slices.ContainsFunc(o.Media, func(m *Media) bool { return m.Played != nil }) {
			return o.ID
		}
	}
	return 0
}

// path is what stands behind the host of a URL, without the stream.
func path(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	_, rest, _ = strings.Cut(rest, "/")
	return strings.TrimSuffix(rest, "/")
}

func orRequest(method string) string {
	if method == "" {
		return "a request"
	}
	return method
}

func orUnknown(meaning string) string {
	if meaning == "" {
		return "not a status of the specification"
	}
	return meaning
}

// judgeEnd says how the connection ended, if it ended badly, and what was not answered.
func (d *decoder) judgeEnd(c *Conversation) {
	if c.resetBy != "" && !d.over(c) { // else all was said
		level := levelError
		if c.Protocol == "wmsp" && c.resetBy == "client" && d.unstopped(c) {
			level = levelNote // there is no other way to stop a response
		}
		d.find(level, "reset", c.ID, "the %s reset the TCP connection after %s", c.resetBy, c.Duration)
	}
	if c.closedBy != "" && c.Protocol != "wmsp" && c.playedAt(c.closedAt) {
		level := levelNote
		if c.closedBy == "server" {
			level = levelError
		}
		d.find(level, "no-goodbye", c.ID, "the %s closed the connection without a goodbye while media was being played", c.closedBy)
	}
	t, ok := c.talk.(*rtspTalk)
	if h, isHTTP := c.talk.(*httpTalk); isHTTP && h.tunnel != nil {
		t, ok = h.tunnel, true
	}
	if ok && c.closedBy != "server" {
		for _, q := range t.asked[client] {
			if q.method != "TEARDOWN" || c.resetBy != "" {
				d.find(levelError, "no-answer", c.ID, "%s was never answered", orRequest(q.method))
			}
		}
	}
}

// over reports whether the media of a conversation had been stopped when it ended.
func (d *decoder) over(c *Conversation) bool {
	return len(c.Media) > 0 && !d.unstopped(c)
}

// unstopped reports whether media was played and never stopped.
func (d *decoder) unstopped(c *Conversation) bool {
	return slices.ContainsFunc(c.Media, func(m *Media) bool { return m.Played != nil && m.Stopped == nil })
}

// playedAt reports whether media was being played at that time.
func (c *Conversation) playedAt(t time.Time) bool {
	return slices.ContainsFunc(c.Media, func(m *Media) bool {
		return m.Played != nil && !m.Played.After(t) && (m.Stopped == nil || m.Stopped.After(t))
	})
}

// judgeGaps says what the capture lacks.
func (d *decoder) judgeGaps(c *Conversation) {
	gaps := 0
	for _, e := range c.Events {
		if e.Kind == "gap" {
			gaps++
		}
	}
	if gaps > 0 {
		d.find(levelNote, "gap", c.ID, "the capture lacks bytes of the connection at %s: lines there may be missing", plural(gaps, "place"))
	}
	if !c.begun && c.ID > 0 {
		d.find(levelNote, "begun-before", c.ID, "the connection was there before the capture: its beginning is missing")
	}
}

// judgeDead says which connections never came to speak. Port 80 has other users: it counts where a player of this capture
// called.
func (d *decoder) judgeDead() {
	ours := map[netip.Addr]bool{}
	for _, c := range d.rep.Conversations {
		ours[c.Client.Addr()] = true
	}
	for _, c := range d.dead {
		if p := c.server.Port(); (p == 80 || p == 8080) && !ours[c.client.Addr()] {
			continue
		}
		switch {
		case c.said != "":
			d.find(levelNote, "other-protocol", 0, "%s says to %s what is %s", c.client.Addr(), c.server, c.said)
		case c.refused:
			d.find(levelError, "connect-refused", 0, "%s refused the connection of %s: nobody listens there, or a firewall says no", c.server, c.client.Addr())
		case !c.answered:
			d.find(levelError, "connect-silent", 0, "%s did not answer %s of %s to connect: it is down, or a firewall drops them", c.server, plural(c.tries, "try"), c.client.Addr())
		default:
			d.find(levelWarning, "never-spoke", 0, "%s connected to %s, and nothing that is RTSP, MMS or HTTP was said", c.client.Addr(), c.server)
		}
	}
}

func lossWords(f *Flow) string {
	var words []string
	if n := f.lost(); n > 0 {
		words = append(words, fmt.Sprintf("%s lost", group(uint64(n))))
	}
	if len(words) == 0 {
		return ""
	}
	return ", " + strings.Join(words, ", ")
}
