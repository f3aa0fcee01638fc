package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// picture is what one look has found.
type picture struct {
	at       time.Time
	Total    int
	Sessions []topSession
	Nodes    []adminNode
	Relay    struct {
		Engine string
		Flows  int
		Loops  []struct {
			Busy          float64
			Packets       uint64
			KernelDropped uint64 `json:"kernel_dropped"`
		}
	}
}

type topSession struct {
	ID, Protocol, Transport, Client, Node, URL string
	Duration                                   float64
	Lost                                       uint64
	ToClient                                   struct{ Packets, Bytes uint64 } `json:"to_client"`
	FromClient                                 struct{ Packets, Bytes uint64 } `json:"from_client"`
	FromOrigin                                 struct{ Packets, Bytes uint64 } `json:"from_origin"`
	Mode                                       string
	RTCPLost                                   uint64 `json:"rtcp_lost"`

	bits, loss float64 // a second; percent
}

// media are its bytes, in the direction that they run.
func (s *topSession) media() uint64 {
	if s.Mode == "record" {
		return s.FromClient.Bytes
	}
	return s.ToClient.Bytes
}

// rates fills in what two looks tell.
func (p *picture) rates(before picture) (bits float64) {
	was := make(map[string]*topSession, len(before.Sessions))
	for i := range before.Sessions {
		was[before.Sessions[i].ID] = &before.Sessions[i]
	}
	seconds := p.at.Sub(before.at).Seconds()
	for i := range p.Sessions {
		s := &p.Sessions[i]
		s.bits = 0
		if old := was[s.ID]; old != nil && seconds > 0 && s.media() >= old.media() {
			s.bits = 8 * float64(s.media()-old.media()) / seconds
		}
		if all := s.FromOrigin.Packets + s.Lost; all > 0 {
			s.loss = 100 * float64(max(s.Lost, s.RTCPLost)) / float64(all)
		}
		bits += s.bits
	}
	return bits
}

// text is the picture in lines of a width, as many as fit.
func (p picture) text(before picture, by byte, width, height int) string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	p.Sessions = slices.Clone(p.Sessions)
	bits := p.rates(before)
	add("mediagate  %s   sessions %d   %s", p.at.Format(time.TimeOnly), p.Total, rate(bits))
	p.relayLine(before, add)
	add("")
	add("%-24s %-9s %8s  %s", "NODE", "SERVICE", "SESSIONS", "STATE")
	for _, n := range p.Nodes {
		for _, name := range slices.Sorted(maps.Keys(n.Services)) {
			add("%-24s %-9s %8d  %s", plain(n.Pool+"/"+n.Name), name, n.Sessions, strings.TrimSpace(n.state(name)+" "+plain(n.Services[name].Reason)))
		}
	}
	add("")
	add("%-16s %-5s %-11s %-22s %-10s %9s %7s %9s  %s", "SESSION", "PROTO", "TRANSPORT", "CLIENT", "NODE", "RATE", "LOST %", "TIME", "URL")
	slices.SortStableFunc(p.Sessions, func(a, b topSession) int {
		switch by {
		case 'l':
			return cmp.Compare(b.loss, a.loss)
		case 't':
			return cmp.Compare(b.Duration, a.Duration)
		}
		return cmp.Compare(b.bits, a.bits)
	})
	for _, s := range p.Sessions {
		add("%-16s %-5s %-11s %-22s %-10s %9s %7.2f %9s  %s", plain(s.ID), s.Protocol, s.Transport, s.Client, plain(s.Node), rate(s.bits), s.loss,
			time.Duration(s.Duration*float64(time.Second)).Truncate(time.Second), plain(s.URL))
	}
	return fit(lines, width, height)
}

// relayLine tells how busy the relay is.
func (p picture) relayLine(before picture, add func(string, ...any)) {
	var busy []string
	var packets, was, dropped uint64
	for i, l := range p.Relay.Loops {
		busy = append(busy, fmt.Sprintf("%.0f %%", 100*l.Busy))
		packets, dropped = packets+l.Packets, dropped+l.KernelDropped
		if i < len(before.Relay.Loops) {
			was += before.Relay.Loops[i].Packets
		}
	}
	if len(busy) == 0 {
		add("relay %s   flows %d", p.Relay.Engine, p.Relay.Flows)
		return
	}
	seconds := max(p.at.Sub(before.at).Seconds(), 0.001)
	add("relay %s   flows %d   loops busy %s   packets %.0f/s   dropped by the kernel %d", p.Relay.Engine, p.Relay.Flows,
		strings.Join(busy, ", "), float64(packets-min(packets, was))/seconds, dropped)
}

// rate is a bitrate for people.
func rate(bits float64) string {
	switch {
	case bits >= 1e9:
		return fmt.Sprintf("%.2f Gb/s", bits/1e9)
	case bits >= 1e6:
		return fmt.Sprintf("%.2f Mb/s", bits/1e6)
	}
	return fmt.Sprintf("%.0f kb/s", bits/1e3)
}

// fit cuts lines to a screen; the last one says how many are missing.
func fit(lines []string, width, height int) string {
	if more := len(lines) - height; more > 0 && height > 0 {
		lines = append(lines[:height-1:height-1], fmt.Sprintf("and %d more", more+1))
	}
	var b strings.Builder
	for _, l := range lines {
		if utf8.RuneCountInString(l) > width {
			l = string([]rune(l)[:max(0, width)])
		}
		b.WriteString(strings.TrimRight(l, " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// draw puts a picture on the screen.
func draw(out *os.File, now, before picture, by byte) {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	text := strings.TrimSuffix(now.text(before, by, width, height), "\n")
	_, _ = io.WriteString(out, drawAnew+strings.ReplaceAll(text, "\n", clearRight)+"\x1b[K"+clearBelow)
}
