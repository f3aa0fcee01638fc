package httpfallback

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/sessionlog"
)

// playing starts a player whose stream has come as far as n bytes of media.
func (w *world) playing(path string, n int) net.Conn {
	w.t.Helper()
	conn := w.dial()
	io.WriteString(conn, requestOf("GET", path, "Pragma: xClientGUID={1}"))
	if _, err := io.ReadFull(conn, make([]byte, n)); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// only is the one session that runs, once it is as ok says.
func (w *world) only(ok func(*sessionlog.Record) bool) *sessionlog.Record {
	w.t.Helper()
	var r *sessionlog.Record
	eventually(w.t, "one session", func() bool {
		all := w.proxy.Snapshot(context.Background())
		if len(all) == 1 {
			r = all[0]
		}
		return len(all) == 1 && ok(r)
	})
	return r
}

// TestSnapshot: what runs can be looked at as often as one likes, in mid answer too, and the record at the end counts
// everything once.
func TestSnapshot(t *testing.T) {
	more, done := make(chan bool), make(chan bool)
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, framedHead+stream(2))
		<-more
		conn.Write(packet('D', 500))
		<-done
		conn.Write(reason('E', 0))
		return false
	})
	w := newWorld(t, nil, o.addr)
	conn := w.playing("/a", len(framedHead)+2000)
	type seen struct {
		Interim          bool
		End              string
		From, To         sessionlog.Traffic
		Requests         uint64
		Node, Mode       string
		Timed, Heard, By bool
	}
	what := func(r *sessionlog.Record) seen {
		return seen{r.Interim, r.End.String(), r.FromOrigin, r.ToClient, uint64(r.Requests), r.Node, string(r.Mode),
			r.FirstMedia != nil && r.Duration > 0, r.ControlClient.In > 0 && r.ControlOrigin.In > 2000, r.SeenAs.IsValid()}
	}
	two, three := sessionlog.Traffic{Packets: 2, Bytes: 2000}, sessionlog.Traffic{Packets: 3, Bytes: 2500}
	want := seen{true, "-P", two, two, 1, "a", string(sessionlog.ModePlay), true, true, true}
	for range 2 {
		r := w.only(func(r *sessionlog.Record) bool { return r.ToClient == two })
		if diff := cmp.Diff(want, what(r)); diff != "" {
			t.Error(diff)
		}
		if one := w.proxy.Look(context.Background(), r.ID); one == nil || one.ID != r.ID {
			t.Errorf("looked at: %+v", one)
		}
	}
	close(more)
	w.only(func(r *sessionlog.Record) bool { return r.ToClient == three })
	close(done)
	_, _ = io.Copy(io.Discard, conn)
	want = seen{false, "-T", three, three, 1, "a", string(sessionlog.ModePlay), true, true, true}
	if diff := cmp.Diff(want, what(w.ended(1)[0])); diff != "" {
		t.Error(diff)
	}
	eventually(t, "no session is left", func() bool { return len(w.proxy.Snapshot(context.Background())) == 0 })
	if r := w.proxy.Look(context.Background(), "nobody"); r != nil || w.proxy.Kill("nobody", "a test") {
		t.Errorf("nobody is somebody: %+v", r)
	}
}

// TestKill: a stream ends at a packet with the protocol's own end, or is broken off where there is none; a session that
// waits ends at once. The record says who did it, and the player can come back.
func TestKill(t *testing.T) {
	half := string(packet('D', 1000)[:600])
	end := string(binary.LittleEndian.AppendUint32([]byte{0xa4, 'E', 4, 0}, killReason))
	for _, tc := range []struct {
		name, head, media string
		rest              string // what the origin sends after the kill
		close             bool   // what it does then
		want              string // what the player gets of the body; "": whole packets and the end
		state             string
	}{
		{"between packets, the origin goes on", framedHead, stream(2), stream(9)[304:], false, "", "KP"},
		{"between packets, the origin is silent", framedHead, stream(2), "", false, stream(2) + end, "KP"},
		{"in mid packet, the rest comes", framedHead, stream(2) + half, string(packet('D', 1000)[600:]) + stream(9)[304:], false, "", "KP"},
		{"in mid packet, the rest does not come", framedHead, stream(2) + half, "", false, stream(2) + half, "KP"},
		{"a file", "HTTP/1.0 200 OK\r\nContent-Type: video/x-ms-wmv\r\n\r\n", "0123456789", "", false, "0123456789", "KP"},
		{"a length was promised", strings.Replace(framedHead, "\r\n\r\n", "\r\nContent-Length: 50000\r\n\r\n", 1), stream(2), "", false, stream(2), "KP"},
		{"it waits for the next request", framedHead, stream(2) + string(reason('E', 0)), "", true, stream(2) + string(reason('E', 0)), "KP"},
		{"no answer yet", "", "", "", false, "", "KD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked, killed := make(chan bool, 1), make(chan bool)
			o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
				io.WriteString(conn, tc.head+tc.media)
				asked <- true
				if !tc.close {
					<-killed
					io.WriteString(conn, tc.rest)
					_, _ = conn.Read(make([]byte, 1)) // the gateway closes
				}
				return false
			})
			w := newWorld(t, func(c *Config) { c.Linger = time.Hour }, o.addr)
			if strings.HasSuffix(tc.want, end) || tc.rest != "" { // what is to come has all the time that it takes
				w.proxy.killGrace = time.Hour
			}
			if tc.rest != "" {
				w.proxy.killPatience = time.Hour
			}
			conn := w.dial()
			io.WriteString(conn, requestOf("GET", "/a", "Pragma: xClientGUID={1}"))
			<-asked
			got := make([]byte, 0, 64<<10)
			for !strings.HasSuffix(string(got), tc.media) {
				n, err := conn.Read(got[len(got):cap(got)])
				if got = got[:len(got)+n]; err != nil {
					t.Fatal(err)
				}
			}
			id := w.only(func(r *sessionlog.Record) bool {
				return tc.close == (r.End.Phase == sessionlog.PhaseTeardown) && (tc.media == "" || r.ToClient.Bytes > 0)
			}).ID
			if !w.proxy.Kill(id, "an operator at 127.0.0.1") {
				t.Fatal("no such session")
			}
			close(killed)
			rest, _ := io.ReadAll(conn) // a connection that is broken off may be reset
			_, body, _ := strings.Cut(string(append(got, rest...)), "\r\n\r\n")
			want := tc.want
			if want == "" && tc.rest != "" { // the read that was waiting takes what comes
				want = stream((len(body)-312)/1004) + end
			}
			if body != want {
				t.Errorf("the player got %d bytes ending in %q, want %d", len(body), body[max(0, len(body)-20):], len(want))
			}
			if r := w.ended(1)[0]; r.End.String() != tc.state || r.Why != "killed by an operator at 127.0.0.1" {
				t.Errorf("%v %s", r.End, r.Why)
			}
			if all := w.proxy.Snapshot(context.Background()); len(all) != 0 {
				t.Errorf("%d sessions are left", len(all))
			}
		})
	}
}

// TestKillKeepsNoConnection: a stream in chunks ends as one, and the connection that could be used again is closed.
func TestKillKeepsNoConnection(t *testing.T) {
	body := stream(2)
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-mms-framed\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body)
		_, _ = conn.Read(make([]byte, 1)) // the gateway closes
		return false
	})
	w := newWorld(t, func(c *Config) { c.Linger = time.Hour }, o.addr)
	conn := w.dial()
	io.WriteString(conn, "GET /a HTTP/1.1\r\nHost: gate.test\r\nUser-Agent: NSPlayer/9\r\nPragma: xClientGUID={1}\r\n\r\n")
	in := newReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadFull(res.Body, make([]byte, len(body))); err != nil {
		t.Fatal(err)
	}
	w.proxy.killPatience, w.proxy.killGrace = time.Millisecond, 6*time.Second // longer than the end takes on a busy machine
	r := w.only(func(r *sessionlog.Record) bool { return r.ToClient.Packets == 2 })
	if !w.proxy.Kill(r.ID, "a test") || !w.proxy.Kill(r.ID, "another") {
		t.Fatal("no such session")
	}
	if rest, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(rest, reason('E', killReason)) {
		t.Errorf("the stream ended with %q %v", rest, err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) { // or it is the deadline of dial
		t.Errorf("the connection goes on: %v", err)
	}
	if r := w.ended(1)[0]; r.End.String() != "KP" || r.Why != "killed by a test" {
		t.Errorf("%v %s", r.End, r.Why)
	}
}

// TestInterim: a session that lasts has a record now and then, and none after its last.
func TestInterim(t *testing.T) {
	done := make(chan bool)
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, framedHead+stream(2))
		<-done
		conn.Write(reason('E', 0))
		return false
	})
	w := newWorld(t, func(c *Config) { c.Interim = 40 * time.Millisecond }, o.addr)
	conn := w.playing("/a", len(framedHead)+len(stream(2)))
	early := len(w.ended(0)) + 1 // that may have been looked at before the media came
	was := w.ended(early + 3)
	close(done)
	_, _ = io.Copy(io.Discard, conn)
	eventually(t, "the session has ended", func() bool { return w.proxy.Sessions() == 0 })
	if err := w.proxy.Close(); err != nil {
		t.Error(err)
	}
	all := w.ended(len(was) + 1)
	for i, r := range all {
		if last := i == len(all)-1; r.Interim == last || i >= early && r.FromOrigin.Packets != 2 || r.ID != all[0].ID || i > 0 && r.Duration < all[i-1].Duration && !last {
			t.Errorf("record %d of %d: %+v", i, len(all), r)
		}
	}
}
