package decode

import (
	"fmt"
	"strings"
)

func (p *printer) media(m *Media) {
	p.line("")
	p.line("    media  %s", mediaText(m))
	if len(m.Flows) == 0 && m.Shares == "" {
		p.line("           nothing of it in this capture")
	}
	p.flows(m.Flows)
}

// mediaText says what was agreed on.
func mediaText(m *Media) string {
	var text string
	switch m.Transport {
	case "udp":
		text = "over UDP"
		to := fmt.Sprintf("%s port %s", m.Client, portList(m.Ports))
		from := m.Server.String()
		if len(m.From) > 0 {
			from += " port " + portList(m.From)
		}
		if m.Published {
			from, to = to, from
		}
		text += ", agreed on: " + from + " -> " + to
	case "interleaved":
		text = "in the connection"
		if len(m.Channels) == 2 {
			text += fmt.Sprintf(", channels %d and %d", m.Channels[0], m.Channels[1])
		}
	default:
		text = "in the connection"
	}
	if m.URL != "" {
		text = m.URL + ", " + text
	}
	if m.Shares != "" {
		text += "; comes in the packets of " + m.Shares
	}
	if m.Played == nil {
		text += "; never played"
	}
	return text
}

// flows writes a table of flows, each with the rows of numbers in it below.
func (p *printer) flows(flows []*Flow) {
	ways := make([]string, len(flows))
	widest := 0
	for i, f := range flows {
		ways[i] = fmt.Sprintf("%s -> %s", f.From, f.To)
		if f.Channel != nil {
			ways[i] = fmt.Sprintf("%s on channel %d", arrow(f), *f.Channel)
		}
		if f.Interface != "" && f.Channel == nil {
			ways[i] += " on " + f.Interface
		}
		widest = max(widest, len(ways[i]))
	}
	const below = "                     "
	for i, f := range flows {
		what := fmt.Sprintf("%s, %s", plural(f.Packets, "packet"), size(f.Bytes))
		if d := Seconds(f.Last.Sub(f.First)); d > 0 {
			what += fmt.Sprintf(" in %s", d)
		}
		if note := joinedText(f); note != "" {
			what += "; " + note
		}
		p.line("           %-8s  %-*s  %s", shortKind(f.Kind), widest, ways[i], what)
		for _, s := range f.Sources {
			if f.isPayload() {
				p.line(below+"%s", sourceText(f, s))
			}
		}
		if f.Reports != nil && f.Reports.any() {
			p.line(below+"%s", reportsText(f.Reports))
		}
		if f.Resend != nil {
			p.line(below+"%s asked for again", plural(f.Resend.Packets, "packet"))
		}
		for _, what := range sortedKeys(f.Unreachable) {
			p.line(below+"ICMP %s, %d times, by %s", what, f.Unreachable[what], f.icmpBy)
		}
	}
}

func arrow(f *Flow) string {
	if f.toServer {
		return "client to server"
	}
	return "server to client"
}

func shortKind(kind string) string {
	switch kind {
	case "rtp", "rtcp":
		return strings.ToUpper(kind)
	case "mms":
		return "Data"
	case "resend":
		return "Resend"
	}
	return "other"
}

func joinedText(f *Flow) string {
	var words []string
	if (f.Kind == "rtp" || f.Kind == "mms") && !f.isPayload() {
		words = append(words, "no media, opens the way")
	}
	if f.Joined != "" && f.Joined != "negotiated" && f.Joined != "to server" {
		words = append(words, strings.ToUpper(f.Joined))
	}
	if f.Leg > 0 {
		words = append(words, "the same packets as on the leg before")
	}
	return strings.Join(words, ", ")
}

func sourceText(f *Flow, s *Source) string {
	head := "incarnation " + s.ID
	if f.Kind == "rtp" {
		head = fmt.Sprintf("ssrc %s, payload type %d", s.ID, s.Payload)
		if s.Clock > 0 {
			head += fmt.Sprintf(" at %d Hz", s.Clock)
		}
	}
	text := fmt.Sprintf("%s: %s, %s lost, %s late, %s twice", head, plural(s.Packets, "packet"), group(uint64(s.Lost)), group(s.Late), group(s.Duplicate))
	if s.Clock > 0 {
		text += fmt.Sprintf(", jitter %s, %s at most", s.Jitter, s.MaxJitter)
	}
	return text
}

func reportsText(r *Reports) string {
	var said []string
	if r.Senders > 0 {
		said = append(said, plural(r.Senders, "sender report"))
	}
	if r.Receivers > 0 {
		said = append(said, plural(r.Receivers, "receiver report"))
	}
	text := strings.Join(said, ", ")
	if r.Lost > 0 || r.Fraction > 0 {
		text += fmt.Sprintf(": %s lost, %.1f %% at worst", plural(r.Lost, "packet"), 100*r.Fraction)
	}
	if r.Nacked > 0 {
		text += fmt.Sprintf(", %s asked for again", plural(r.Nacked, "packet"))
	}
	if r.Byes > 0 {
		text += ", goodbye"
	}
	return strings.TrimPrefix(text, ", ")
}

// any reports whether there is something to say.
func (r *Reports) any() bool { return r.Senders+r.Receivers+r.Nacked+r.Byes > 0 }
