package mmswire

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzReader: no input makes it panic, hold more than its limit or read differently in pieces, and what it read can be
// written and read again.
func FuzzReader(f *testing.F) {
	whole, _ := conversation()
	f.Add(whole[:2000])
	for _, m := range samples() {
		f.Add(AppendPacket(nil, 1, 2, Encode(m)))
	}
	f.Add(AppendData(nil, Data{LocationID: 1, PlayIncarnation: 4, Payload: []byte("asf")}))
	f.Fuzz(func(t *testing.T, in []byte) {
		lim := Limits{Message: 4096}
		out, err := rewrite(bytes.NewReader(in), lim)
		pieces, again := rewrite(iotest.OneByteReader(bytes.NewReader(in)), lim)
		if !bytes.Equal(out, pieces) || again == nil || err == nil || err.Error() != again.Error() {
			t.Fatalf("%v in pieces, %v whole", again, err)
		}
		if len(out) > len(in) {
			t.Fatalf("%d bytes became %d", len(in), len(out))
		}
		var syntax *SyntaxError
		if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.As(err, &syntax) && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		if same, err := rewrite(bytes.NewReader(out), lim); err != io.EOF || !bytes.Equal(same, out) {
			t.Fatalf("read again: %v", err)
		}
	})
}

// counted are the messages whose texts have a count, and are written with the NUL that belongs to it.
var counted = []MID{MIDOpenFile, MIDReportConnectedEX, MIDReportRedirect}

// FuzzMessage: what can be decoded is written with the same bytes, but for what Decode says; and that decodes alike.
func FuzzMessage(f *testing.F) {
	for _, m := range samples() {
		raw := Encode(m)
		f.Add(uint32(raw.MID), raw.Body)
	}
	f.Fuzz(func(t *testing.T, id uint32, body []byte) {
		body = append(body, make([]byte, padding(len(body)))...)
		raw := Raw{MID(id), body}
		kept := bytes.Clone(body)
		m, err := Decode(raw)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > int64(len(body)) {
				t.Fatal(err)
			}
			return
		}
		out := Encode(m)
		if out.MID != raw.MID || len(out.Body)%8 != 0 || !bytes.Equal(body, kept) {
			t.Fatalf("%v written as %v, %d bytes", raw.MID, out.MID, len(out.Body))
		}
		failure := len(body) >= 4 && body[3]&0x80 != 0 && raw.MID>>16 == 4
		if !failure && !slices.Contains(counted, raw.MID) && !bytes.Equal(out.Body, body) && !endsInUnused(raw) {
			t.Fatalf("%v written as\n%x, was\n%x", raw.MID, out.Body, body)
		}
		again, err := Decode(out)
		if err != nil || !bytes.Equal(Encode(again).Body, out.Body) {
			t.Fatalf("%v: %v, decoded again it is another", raw.MID, err)
		}
	})
}

// endsInUnused tells whether a message ends within a field that says nothing.
func endsInUnused(raw Raw) bool {
	return raw.MID == MIDReportOpenFile && len(raw.Body) < 112 || raw.MID == MIDReportStartedPlaying && len(raw.Body) < 28
}

// FuzzFunnelName: what can be read is written so that it reads alike.
func FuzzFunnelName(f *testing.F) {
	for _, s := range []string{`\\10.99.1.2\UDP\7000` + "\x000", `\\[fd99:1::2]\tcp\1`, `\\fe80::1%eth0\UDP\9`, `\\\UDP\9`, `\\a`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseFunnelName(s)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > int64(len(s)) {
				t.Fatal(err)
			}
			return
		}
		if name.Port < 1 || name.Port > 65535 || strings.Contains(name.Host, `\`) {
			t.Fatalf("%+v", name)
		}
		if name.Host == "" {
			return // it is written with an address
		}
		if again, err := ParseFunnelName(name.String()); err != nil || again != name {
			t.Fatalf("%+v became %+v, %v", name, again, err)
		}
	})
}

// FuzzSubscriber: an untouched name keeps its bytes; a name with our host and proxy in it says so.
func FuzzSubscriber(f *testing.F) {
	for _, s := range []string{"NSPlayer/7.0.0.1956; {a}; Host: h", "Spooooon!\x00HOST: a\x00VIA: b\x00", ";;Host:;HOST: x", "\x00\x00VIA:"} {
		f.Add(s, "o.test:1755")
	}
	f.Fuzz(func(t *testing.T, in, host string) {
		s := ParseSubscriber(in)
		if s.String() != strings.TrimRight(in, nul) {
			t.Fatalf("%q became %q", in, s.String())
		}
		product, guid := s.Product(), s.GUID()
		s.SetHost(host)
		s.AddVia("mediagate/1")
		s.SetHost(host) // the second changes nothing
		again := ParseSubscriber(s.String())
		host, _, _ = strings.Cut(host, nul)
		host, _, _ = strings.Cut(host, ";")
		if again.Product() != product || again.GUID() != guid || again.Host() != strings.TrimSpace(host) {
			t.Fatalf("%q became %q", in, s.String())
		}
		if n := strings.Count(s.String(), "mediagate/1") - strings.Count(in, "mediagate/1") - 2*strings.Count(host, "mediagate/1"); n > 1 {
			t.Fatalf("%q became %q", in, s.String())
		}
		if !strings.Contains(s.String(), nul+hostString+" "+host) || !strings.Contains(s.String(), "mediagate/1") {
			t.Fatalf("%q became %q", in, s.String())
		}
	})
}
