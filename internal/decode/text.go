package decode

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	width     = 120 // columns to which sentences are broken
	clock     = "15:04:05.000000"
	indent    = 32 // columns of the times and the arrow before a line of a conversation
	nameWidth = 16 // columns of the name of a field
)

// TextOptions say what WriteText leaves out.
type TextOptions struct {
	Brief bool // first lines only, without the fields of messages
	Only  int  // only the conversation with this number, 0 for all
}

// printer writes and remembers the first error.
type printer struct {
	w *bufio.Writer
	o TextOptions
	r *Report
}

// WriteText writes the report for a person: the file, each conversation message by message with its media, and what is
// wrong. It returns the error of w.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	p := &printer{w: bufio.NewWriter(w), o: o, r: r}
	p.file()
	for _, c := range r.Conversations {
		if o.Only == 0 || o.Only == c.ID {
			p.conversation(c)
		}
	}
	if len(r.Strays) > 0 && o.Only == 0 {
		p.line("")
		p.line("Media that no conversation of this capture asked for")
		p.flows(r.Strays)
	}
	p.findings()
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("decode: write report: %w", err)
	}
	return nil
}

func (p *printer) line(format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	_, _ = p.w.WriteString(text + "\n") // Flush returns the error
}

// wrapped writes a sentence, broken to the width, with what stands before its first line and before the others.
func (p *printer) wrapped(first, others, text string) {
	room := width - len(others)
	for before := first; text != ""; before = others {
		line := text
		if len(line) > room {
			cut := strings.LastIndexByte(line[:room+1], ' ')
			if cut < room/3 {
				cut = len(line)
				if next := strings.IndexByte(line[room:], ' '); next >= 0 {
					cut = room + next
				}
			}
			line = line[:cut]
		}
		text = strings.TrimPrefix(text[len(line):], " ")
		p.line("%s%s", before, line)
	}
}

func (p *printer) file() {
	f := &p.r.File
	p.line("%s with %s, %s, %s from %s UTC", f.Kind, plural(f.Packets, "packet"), size(uint64(f.Bytes)), f.Duration, f.Start.Format("2006-01-02 "+clock))
	if len(f.Interfaces) == 1 {
		p.line("captured on %s", strings.TrimSpace(f.Interfaces[0].Name+" "+f.Interfaces[0].Link))
	}
	if len(f.Interfaces) > 1 {
		for i, n := range f.Interfaces {
			name := n.Name
			if name == "" {
				name = fmt.Sprintf("interface %d", i)
			}
			p.line("captured on %s (%s): %s %s", name, n.Link, plural(n.Packets, "packet"), n.Description)
		}
	}
	if f.Cut != "" {
		p.line("not read to its end: %s", f.Cut)
	}
	for _, n := range f.Notes {
		p.line("note: %s", n)
	}
}

// protocolNames are the protocols as people call them.
var protocolNames = map[string]string{"rtsp": "RTSP", "rtsp-http": "RTSP in HTTP", "mms": "MMS", "wmsp": "Windows Media HTTP"}

func (p *printer) conversation(c *Conversation) {
	p.line("")
	p.line("%s", strings.Repeat("-", width))
	p.line("[%d] %s  %s -> %s  %s", c.ID, protocolNames[c.Protocol], c.Client, c.Server, c.URL)
	for _, j := range c.Joined {
		p.line("    joined with the connection of %s", j)
	}
	if who := strings.Trim(c.Player+" with "+c.Software, " "); who != "with" {
		p.line("    %s", strings.TrimSuffix(strings.TrimPrefix(who, "with "), " with"))
	}
	p.line("    %s, %s, %s", c.Start.Format(clock), c.Duration, c.Ended)
	if c.Interface != "" {
		p.line("    seen on %s", c.Interface)
	}
	if c.Leg > 0 {
		p.line("    its media is that of conversation [%d]", c.Leg)
	}
	p.line("")
	for i := range c.Events {
		p.event(&c.Events[i])
	}
	for _, m := range c.Media {
		p.media(m)
	}
}

// marks stand before the lines of a conversation: who said it, or what it is.
var marks = map[string]string{"client": ">", "server": "<"}

func (p *printer) event(e *Event) {
	mark := marks[e.From]
	switch e.Kind {
	case "run", "media":
		mark = map[string]string{"client": "=>", "server": "<="}[e.From]
	case "gap", "note":
		mark = "!" + mark
	}
	first := fmt.Sprintf("%s %12.6f  %-2s ", e.Time.Format(clock), time.Duration(e.Offset).Seconds(), mark)
	p.wrapped(first, strings.Repeat(" ", indent+4), e.Line)
	if p.o.Brief {
		return
	}
	for _, f := range e.Fields {
		name := f.Name + strings.Repeat(" ", max(0, nameWidth-len(f.Name)))
		p.wrapped(strings.Repeat(" ", indent+2)+name+"  ", strings.Repeat(" ", indent+2+nameWidth+2), f.Value)
	}
}

func (p *printer) findings() {
	p.line("")
	p.line("%s", strings.Repeat("-", width))
	shown := 0
	for _, f := range p.r.Findings {
		if p.o.Only != 0 && f.Conversation != p.o.Only {
			continue
		}
		if shown++; shown == 1 {
			p.line("What is wrong, and what is worth knowing")
			p.line("")
		}
		where := ""
		if f.Conversation > 0 {
			where = fmt.Sprintf("[%d]", f.Conversation)
		}
		p.wrapped(fmt.Sprintf("%-8s %-4s ", f.Level, where), strings.Repeat(" ", 14), f.Text+" ("+f.Code+")")
	}
	if shown == 0 {
		p.line("Nothing is wrong that this capture could show.")
	}
}
