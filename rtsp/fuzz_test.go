package rtsp

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
)

// A script of FuzzSession is chunks divided by chunkEnd. The first byte of a chunk says what happens:
//
//	C, O  the player, the origin sends the rest; {session} and {cseq} are what the gateway last wrote to that side
//	c, o  the player, the origin closes      h  the player shuts its write side down
//	n     the player connects again          N  somebody else does
//	t     eleven seconds pass                u  a packet comes to the media ports from either side
const chunkEnd = "\n%%\n"

// scriptOf turns a dialog into a script.
func scriptOf(steps []step) []byte {
	var chunks []string
	vars := map[string]string{}
	for i := range steps {
		st := &steps[i]
		switch {
		case st.lane == "C>", st.lane == "O>":
			chunks = append(chunks, st.lane[:1]+string(st.message(vars)))
		case st.lane == "!" && strings.Contains(st.lines[0], "seconds"):
			chunks = append(chunks, "t")
		case st.lane == "!" && st.lines[0] == "origin closes":
			chunks = append(chunks, "o")
		case st.lane == "!" && st.lines[0] == "client closes":
			chunks = append(chunks, "c")
		case st.lane == "!" && st.lines[0] == "client reconnects":
			chunks = append(chunks, "n")
		case st.lane == "=" && strings.HasPrefix(st.lines[0], "flow "):
			chunks = append(chunks, "u")
		}
	}
	return []byte(strings.Join(chunks, chunkEnd))
}

// FuzzSession plays a script against a whole session over made-up sockets. Whatever comes: no panic, no hang, nothing left,
// and all that the gateway writes can be read.
func FuzzSession(f *testing.F) {
	dialogs, _ := filepath.Glob("../testdata/dialogs/rtsp/*.dialog")
	for _, file := range dialogs {
		f.Add(scriptOf(readDialog(f, file)))
	}
	torture, _ := filepath.Glob("../testdata/torture/rtsp/*/*")
	for _, file := range torture {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if _, message, ok := bytes.Cut(data, []byte("\n")); ok && len(message) < 4<<10 {
			f.Add([]byte("C" + string(message) + chunkEnd + "O" + string(message) + chunkEnd + "t"))
			f.Add([]byte("COPTIONS rtsp://gw.test/ RTSP/1.0\r\nCSeq: 1\r\n\r\n" + chunkEnd + "O" + string(message)))
		}
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 64<<10 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.close()
			p := &fuzzer{world: w, session: "none"}
			chunks := strings.Split(string(script), chunkEnd)
			for _, chunk := range chunks[:min(len(chunks), 60)] {
				p.play(t, chunk)
			}
			begun := time.Now()
			w.proxy.Close()
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("closing took %s", took)
			}
			w.nothingLeft(t)
			p.look(t)
		})
	})
}

type fuzzer struct {
	*world
	session, cseq string
}

// play does what one chunk says.
func (p *fuzzer) play(t *testing.T, chunk string) {
	if chunk == "" {
		return
	}
	switch text := chunk[1:]; chunk[0] {
	case 'C':
		p.write(p.client(), strings.ReplaceAll(text, "{session}", p.session))
	case 'O':
		if len(p.origins) > 0 {
			p.write(p.origins[len(p.origins)-1], strings.ReplaceAll(text, "{cseq}", p.cseq))
		}
	case 'c':
		p.client().conn.Close()
	case 'o':
		if len(p.origins) > 0 {
			p.origins[len(p.origins)-1].conn.Close()
		}
	case 'h':
		_ = p.client().conn.CloseWrite()
	case 'n', 'N':
		if len(p.clients) < 10 {
			from := worldClient
			if chunk[0] == 'N' {
				from = netip.MustParseAddrPort("203.0.113.66:40000")
			}
			p.connect(from)
		}
	case 't':
		time.Sleep(11 * time.Second)
	case 'u':
		for _, at := range []struct {
			port uint16
			from netip.AddrPort
		}{{20000, netip.AddrPortFrom(worldNode1, 6970)}, {5004, netip.AddrPortFrom(worldClient.Addr(), 50000)}, {5005, netip.AddrPortFrom(worldClient.Addr(), 50001)}} {
			p.udp.deliver(at.port, at.from, append(rtpPacket(1), text...))
		}
	}
	synctest.Wait()
	p.look(t)
}

// write sends what the gateway takes within a second.
func (p *fuzzer) write(e *end2, text string) {
	_ = e.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = e.conn.Write([]byte(text))
}

// look takes what has come in: new origin connections, messages, records.
func (p *fuzzer) look(t *testing.T) {
	for len(p.dials) > 0 {
		p.origins = append(p.origins, <-p.dials)
	}
	for i, e := range append(append([]*end2{}, p.clients...), p.origins...) {
		for len(e.got) > 0 {
			message := string(<-e.got)
			if _, rest, ok := strings.Cut(message, "\r\nSession: "); ok && i < len(p.clients) {
				p.session = rest[:strings.IndexAny(rest, ";\r")]
			}
			if _, rest, ok := strings.Cut(message, "\r\nCSeq: "); ok && i >= len(p.clients) {
				p.cseq = rest[:strings.IndexByte(rest, '\r')]
			}
		}
		select {
		case <-e.gone:
			var syntax *rtspwire.SyntaxError
			if errors.As(e.err, &syntax) {
				t.Errorf("the gateway wrote what cannot be read: %v", e.err)
			}
		default:
		}
	}
	for len(p.records) > 0 {
		if r := <-p.records; r.End.Who == sessionlog.WhoInternal {
			t.Errorf("a session ended %s %s", r.End, r.Why)
		}
	}
}
