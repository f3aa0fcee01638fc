package capture

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// magic is the first line of a trace and of a flight recorder's file.
const magic = "mediagate trace 1"

// printer writes a trace: a head of fields, then entries that begin with "@" and a time.
//
// The lines of a message say how they end on the wire: "| " with CR LF, "/ " with LF, ". " without. "# " is bytes in
// hexadecimal, of what is no text. So it can be read back to the byte, secrets apart.
type printer struct {
	w      io.Writer
	masks  masks
	latest [2]rendered // the last message that came, by side
}

type rendered struct {
	kind  string
	lines []string
}

func newPrinter(w io.Writer) *printer {
	return &printer{w: w, masks: masks{sessions: make(map[string]string)}}
}

func (p *printer) head(a *About, f *Facts) {
	fmt.Fprintln(p.w, magic)
	p.field("session", a.ID)
	p.field("protocol", a.Protocol)
	p.field("virtual server", a.VirtualServer)
	p.field("client", addr(a.Client))
	p.field("clear", a.Clear)
	p.field("url", maskURLs(f.URL))
	p.field("user agent", f.UserAgent)
	p.field("node", f.Node)
}

func addr(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

// field writes a line of the head; what others have sent may have no line break in it.
func (p *printer) field(name, value string) {
	if value != "" {
		fmt.Fprintf(p.w, "%s: %s\n", name, strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, value))
	}
}

const stampForm = "2006-01-02T15:04:05.000000Z"

func (p *printer) line(l line) {
	fmt.Fprintf(p.w, "@ %s %s\n", l.at.UTC().Format(stampForm), l.text)
}

// message writes one message and, of one that was sent, what differs from the one that had come from the other side.
func (p *printer) message(m *message) {
	way := "in"
	if m.out {
		way = "out"
	}
	p.line(line{m.at, fmt.Sprintf("%v %s %s %s message, %d bytes", m.side, way, addr(m.from), addr(m.to), m.size)})
	r := p.render(m.text)
	for _, l := range r.lines {
		fmt.Fprintln(p.w, l)
	}
	if len(m.text) < m.size {
		fmt.Fprintf(p.w, "cut: %d bytes more\n", m.size-len(m.text))
	}
	if !m.out {
		p.latest[m.side] = r
		return
	}
	came := &p.latest[1-m.side]
	if came.kind != r.kind {
		fmt.Fprintln(p.w, "difference: the gateway's own message")
		return
	}
	p.difference(came.lines, r.lines)
	*came = rendered{}
}

func (p *printer) difference(came, sent []string) {
	gone, added := without(came, sent), without(sent, came)
	if len(gone)+len(added) == 0 {
		fmt.Fprintln(p.w, "difference: none")
		return
	}
	fmt.Fprintln(p.w, "difference:")
	for _, l := range gone {
		fmt.Fprintln(p.w, "- "+l)
	}
	for _, l := range added {
		fmt.Fprintln(p.w, "+ "+l)
	}
}

// without are the lines of a that b has not, each as often as it has it more.
func without(a, b []string) []string {
	have := make(map[string]int, len(b))
	for _, l := range b {
		have[l]++
	}
	var left []string
	for _, l := range a {
		if have[l] > 0 {
			have[l]--
			continue
		}
		left = append(left, l)
	}
	return left
}

// render masks a message and makes lines of it.
func (p *printer) render(b []byte) rendered {
	var r rendered
	if !isText(b) {
		r.kind = binaryKind(b)
		for len(b) > 0 {
			n := min(16, len(b))
			r.lines = append(r.lines, "# "+hex.EncodeToString(b[:n]))
			b = b[n:]
		}
		return r
	}
	r.kind, _, _ = strings.Cut(string(b), " ")
	inHead := true
	for len(b) > 0 {
		text, mark := b, ". "
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			text, mark = b[:i], "/ "
			if i > 0 && b[i-1] == '\r' {
				text, mark = b[:i-1], "| "
			}
			b = b[i+1:]
		} else {
			b = nil
		}
		if inHead = inHead && len(text) > 0; inHead {
			text = p.masks.line(text)
		}
		if !printable(text) {
			end := map[string]string{"| ": "0d0a", "/ ": "0a"}[mark]
			r.lines = append(r.lines, "# "+hex.EncodeToString(text)+end)
			continue
		}
		r.lines = append(r.lines, mark+string(text))
	}
	return r
}

// isText says that a message begins as those of RTSP and HTTP do.
func isText(b []byte) bool {
	first, _, ok := bytes.Cut(b, []byte("\n"))
	return ok && len(first) > 0 && first[0] > ' ' && printable(bytes.TrimSuffix(first, []byte("\r")))
}

func printable(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// binaryKind tells messages of MMS apart by the MID of the first one ([MS-MMSP] 2.2.3: 32 bytes of TcpMessageHeader, of
// the message its length and MID).
func binaryKind(b []byte) string {
	if len(b) < 40 {
		return "binary"
	}
	return fmt.Sprintf("binary %x", b[36:40])
}
