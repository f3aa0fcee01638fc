package rtsp

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/rtsp/rtspwire"
)

// TestFramesTogether: frames that came together leave together, in order, and messages by themselves.
func TestFramesTogether(t *testing.T) {
	frame := func(channel uint8, seq uint16) string {
		return string(rtspwire.AppendFrame(nil, channel, rtpPacket(seq)))
	}
	in := func(seqs ...uint16) (text string) {
		for _, seq := range seqs {
			text += frame(0, seq)
		}
		return text
	}
	out := func(seqs ...uint16) string { return strings.ReplaceAll(in(seqs...), "$\x00", "$\x06") }
	message := string(crlf("RTSP/1.0 200 OK\nCSeq: 2\nSession: 2"))
	for _, tc := range []struct {
		name string
		came []string
		want []string // each write to the player; M is a message
	}{
		{"one", []string{in(1)}, []string{out(1)}},
		{"three", []string{in(1, 2, 3)}, []string{out(1, 2, 3)}},
		{"of both channels", []string{in(1) + frame(1, 7) + in(2)}, []string{out(1) + frame(7, 7) + out(2)}},
		{"apart", []string{in(1), in(2)}, []string{out(1), out(2)}},
		{"with half of another", []string{in(1, 2) + in(3)[:5], in(3)[5:]}, []string{out(1, 2), out(3)}},
		{"a frame of nobody between", []string{in(1) + frame(9, 9) + in(2, 3)}, []string{out(1), out(2, 3)}},
		{"garbage between", []string{in(1) + "\x00" + in(2)}, []string{out(1), out(2)}},
		{"a message between", []string{in(1, 2) + message + in(3, 4)}, []string{out(1, 2), "M", out(3, 4)}},
		{"more than a write takes", []string{strings.Repeat(in(1), framesAtOnce+1)}, []string{strings.Repeat(out(1), framesAtOnce), out(1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				conn := stalled(w)
				write := func(text string) { _, _ = conn.Write(crlf(text)) }
				read := func() string {
					b := make([]byte, 64<<10)
					n, err := conn.Read(b)
					if err != nil {
						t.Fatal(err)
					}
					return string(b[:n])
				}
				write("SETUP rtsp://gw.test/a RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=6-7")
				w.origin(t).receive(t, 0)
				w.origin(t).send(t, crlf("RTSP/1.0 200 OK\nCSeq: 1\nSession: 2\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
				_, id, _ := strings.Cut(read(), "Session: ")
				write("PLAY rtsp://gw.test/a RTSP/1.0\nCSeq: 2\nSession: " + id[:strings.IndexAny(id, ";\r")])
				origin := w.origin(t)
				origin.receive(t, 0)
				go func() {
					for _, text := range tc.came {
						_, _ = origin.conn.Write([]byte(text))
						synctest.Wait()
					}
				}()
				var got []string
				for range tc.want {
					text := read()
					if strings.HasPrefix(text, "RTSP/") {
						text = "M"
					}
					got = append(got, text)
				}
				if d := cmp.Diff(tc.want, got); d != "" {
					t.Errorf("writes (-want +got):\n%s", d)
				}
			})
		})
	}
}

// TestFramesToSlowPlayer: frames that came together end nobody who would have taken them one by one; who takes none ends as ever, and
// what was taken is counted.
func TestFramesToSlowPlayer(t *testing.T) {
	const n = 24 // which takes longer than a session may be silent
	for _, takes := range []int{n, 5} {
		bubble(t, func(t *testing.T, w *world) {
			conn := stalled(w)
			reader := rtspwire.NewReader(conn, rtspwire.Limits{})
			_, _ = conn.Write(crlf("SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
			w.origin(t).receive(t, 0)
			w.origin(t).send(t, crlf("RTSP/1.0 200 OK\nCSeq: 1\nSession: 2\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
			if _, err := reader.Read(); err != nil {
				t.Fatal(err)
			}
			var wire []byte
			for seq := range uint16(n) {
				wire = rtspwire.AppendFrame(wire, 0, rtpPacket(seq))
			}
			origin := w.origin(t).conn
			go func() { _, _ = origin.Write(wire) }()
			size := len(wire) / n
			for seq := range uint16(takes) {
				time.Sleep(w.proxy.cfg.Timeouts.Write * 2 / 5)
				b := make([]byte, size)
				if _, err := io.ReadFull(conn, b); err != nil {
					t.Fatalf("frame %d of %d: %v", seq, takes, err)
				}
				if want := rtspwire.AppendFrame(nil, 0, rtpPacket(seq)); string(b) != string(want) {
					t.Fatalf("frame %d is %x, want %x", seq, b, want)
				}
			}
			if takes < n {
				time.Sleep(3 * w.proxy.cfg.Timeouts.Write)
			}
			synctest.Wait()
			ends := ""
			for len(w.records) > 0 {
				if r := <-w.records; r.End.String() != "cA" { // the world's first connection, which asks nothing
					ends += fmt.Sprintf("%s %d", r.End, r.ToClient.Packets)
				}
			}
			if want := map[int]string{n: "", 5: "cS 5"}[takes]; ends != want {
				t.Errorf("ended %q, want %q", ends, want)
			}
		})
	}
}
