package mms

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// A script of FuzzSession is chunks, each with two bytes of length before it. The first byte of a chunk says what happens:
//
//	B     (the first) the path chooses the node
//	C, O  the player, the origin sends the rest
//	c, o  the player, the origin closes      r  the origin resets
//	h     the player shuts its write side down
//	n     the player connects again          t  eleven seconds pass        s  so many milliseconds pass
//	u     the rest comes as a datagram to the media ports and to the resend port, from either side
func appendChunk(script []byte, what byte, b []byte) []byte {
	script = append(script, byte((len(b)+1)>>8), byte(len(b)+1), what)
	return append(script, b...)
}

func chunksOf(script []byte) [][]byte {
	var all [][]byte
	for len(script) > 2 {
		n := min(int(script[0])<<8|int(script[1]), len(script)-2)
		if n > 0 {
			all = append(all, script[2:2+n])
		}
		script = script[2+n:]
	}
	return all
}

// scriptOf turns a dialog into a script.
func scriptOf(t testing.TB, lines []line) []byte {
	t.Helper()
	var script []byte
	for i, l := range lines {
		switch {
		case l.text == "the path chooses the node":
			script = appendChunk(script, 'B', nil)
		case strings.HasSuffix(l.lane, ">"):
			var messages []mmswire.Raw
			var b []byte
			for _, text := range append([]string{l.text}, alongside(lines[i+1:])...) {
				m, other, err := parseLine(text)
				if err != nil {
					t.Fatal(err)
				}
				if b = other; m != nil {
					messages = append(messages, *m)
				}
			}
			if b == nil {
				b = mmswire.AppendPacket(nil, 0, 0, messages...)
			}
			script = appendChunk(script, l.lane[0], b)
		case l.text == "origin closes":
			script = appendChunk(script, 'o', nil)
		case l.text == "origin resets":
			script = appendChunk(script, 'r', nil)
		case l.text == "client closes":
			script = appendChunk(script, 'c', nil)
		case strings.HasSuffix(l.text, " seconds pass"):
			script = appendChunk(script, 't', nil)
		case strings.HasPrefix(l.text, "flow "):
			script = appendChunk(script, 'u', dataOf(1))
		}
	}
	return script
}

// torture are the packets of testdata/torture/mms, by file.
func torture(t testing.TB) map[string][]byte {
	t.Helper()
	files, _ := filepath.Glob("../testdata/torture/mms/*/*")
	all := make(map[string][]byte)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var digits strings.Builder
		for i, l := range bytes.Split(data, []byte("\n")) {
			if i > 0 {
				l, _, _ = bytes.Cut(l, []byte("#"))
				digits.Write(bytes.Join(bytes.Fields(l), nil))
			}
		}
		b, err := hex.DecodeString(digits.String())
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimPrefix(filepath.ToSlash(file), "../testdata/torture/mms/")] = b
	}
	if len(all) == 0 {
		t.Fatal("no torture files")
	}
	return all
}

// FuzzSession plays a script against a whole session over made-up sockets. Whatever comes: no panic, no hang, nothing left,
// and all that the gateway writes can be read.
func FuzzSession(f *testing.F) {
	dialogs, _ := filepath.Glob("../testdata/dialogs/mms/*.dialog")
	for _, file := range dialogs {
		f.Add(scriptOf(f, included(f, readDialog(f, file))))
	}
	playing := scriptOf(f, included(f, []line{{"@", "tcp-playing", 0}}))
	for _, packet := range torture(f) {
		if len(packet) < 4<<10 {
			f.Add(appendChunk(appendChunk(nil, 'C', packet), 't', nil))
			f.Add(appendChunk(appendChunk(bytes.Clone(playing), 'C', packet), 'O', packet))
		}
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 64<<10 {
			return
		}
		chunks := chunksOf(script)
		changes := []func(*Config){}
		if len(chunks) > 0 && chunks[0][0] == 'B' {
			changes = append(changes, configured(t, "the path chooses the node"))
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, changes...)
			defer w.close()
			p := &fuzzer{world: w}
			for _, chunk := range chunks[:min(len(chunks), 60)] {
				p.play(t, chunk)
			}
			begun := time.Now()
			w.proxy.Close()
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("closing took %s", took)
			}
			p.look(t)
			w.nothingLeft(t)
		})
	})
}

type fuzzer struct{ *world }

// play does what one chunk says.
func (p *fuzzer) play(t *testing.T, chunk []byte) {
	b := chunk[1:]
	origin := p.origin()
	switch chunk[0] {
	case 'C':
		_ = p.client().send(b)
	case 'c':
		p.client().conn.Close()
	case 'h':
		_ = p.client().conn.CloseWrite()
	case 'n':
		if len(p.clients) < 10 {
			p.connect()
		}
	case 't':
		time.Sleep(11 * time.Second)
	case 's':
		time.Sleep(time.Duration(len(b)) * time.Millisecond)
	case 'u':
		for _, at := range []struct {
			port uint16
			from netip.AddrPort
		}{{20000, netip.AddrPortFrom(worldNode1, mediaPort)}, {5004, netip.AddrPortFrom(worldClient.Addr(), 7000)}, {1755, netip.AddrPortFrom(worldClient.Addr(), 7000)}} {
			_ = p.udp.deliver(at.port, at.from, b)
		}
	}
	if origin != nil {
		switch chunk[0] {
		case 'O':
			_ = origin.send(b)
		case 'o', 'r':
			origin.gateway.reset.Store(chunk[0] == 'r')
			origin.conn.Close()
		}
	}
	synctest.Wait()
	p.look(t)
}

// look takes what has come in: new origin connections, messages, records.
func (p *fuzzer) look(t *testing.T) {
	_ = p.origin()
	for _, e := range append(append([]*end2{}, p.clients...), p.origins...) {
		for len(e.got) > 0 {
			if text := <-e.got; strings.Contains(text, "(sequence number") {
				t.Errorf("the gateway wrote %s", text)
			}
		}
	}
	for len(p.records) > 0 {
		if r := <-p.records; r.End.Who == sessionlog.WhoInternal {
			t.Errorf("a session ended %s %s", r.End, r.Why)
		}
	}
}

// TestTorture gives each hostile packet to a session: from the player at first and while it plays, and from the origin while
// it connects and while it plays. Whatever it is, nothing is left.
func TestTorture(t *testing.T) {
	for name, packet := range torture(t) {
		t.Run(name, func(t *testing.T) {
			for _, at := range []struct {
				part string
				from byte
			}{{"", 'C'}, {"connected", 'C'}, {"udp-playing", 'C'}, {"connected", 'O'}, {"tcp-playing", 'O'}, {"udp-playing", 'O'}} {
				bubble(t, func(t *testing.T, w *world) {
					p := &fuzzer{w}
					if at.part != "" {
						w.part(t, at.part)
					}
					p.play(t, append([]byte{at.from}, packet...))
					p.play(t, []byte("t"))
					p.play(t, []byte("t"))
					w.proxy.Close()
					p.look(t)
					w.nothingLeft(t)
				})
			}
		})
	}
}
