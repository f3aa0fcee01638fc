package rtsp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// setupUDP asks for one more stream over UDP and answers as an origin that grants everything.
func (w *world) setupUDP(t *testing.T, n int, session string) string {
	t.Helper()
	request := fmt.Sprintf("SETUP rtsp://gw.test/a/track%d RTSP/1.0\nCSeq: %d\nTransport: RTP/AVP;unicast;client_port=%d-%d",
		n, n, 40000+2*n, 40001+2*n)
	if session != "" {
		request += "\nSession: " + session
	}
	w.client().send(t, crlf(request))
	synctest.Wait()
	if len(w.client().got) > 0 {
		return string(<-w.client().got) // refused by the gateway
	}
	got := string(w.origin(t).receive(t, 0))
	cseq := got[strings.Index(got, "CSeq: "):]
	cseq = cseq[:strings.Index(cseq, "\r\n")]
	w.origin(t).send(t, crlf("RTSP/1.0 200 OK\n"+cseq+"\nSession: 7\nTransport: RTP/AVP;unicast;server_port=6970-6971"))
	return string(w.client().receive(t, 0))
}

// TestSetupStorm: one player cannot take every port of the range; others still get theirs.
func TestSetupStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, 2*maxMedia+20)
		defer w.close()
		session := ""
		for n := range maxMedia {
			got := w.setupUDP(t, n+1, session)
			if !strings.HasPrefix(got, "RTSP/1.0 200") {
				t.Fatalf("stream %d: %q", n, got)
			}
			session = sessionIn(t, got)
		}
		for n := range 20 {
			if got := w.setupUDP(t, maxMedia+n+1, session); !strings.HasPrefix(got, "RTSP/1.0 453") {
				t.Fatalf("stream beyond the limit: %q", got)
			}
		}
		if got := w.setupUDP(t, 1, session); !strings.HasPrefix(got, "RTSP/1.0 200") {
			t.Errorf("a stream set up again: %q", got)
		}
		if w.relay.InUse() != maxMedia {
			t.Errorf("%d flows in use", w.relay.InUse())
		}
		w.client().conn.Close()
		time.Sleep(100 * time.Second)
		w.mustEnd(t, "cS gave no sign")
		if w.relay.InUse() != 0 {
			t.Errorf("%d flows in use after the end", w.relay.InUse())
		}
	})
}

// TestSetupAgainAndAgain: a conversation of thousands of SETUPs holds no more than one of a few, and its record counts all.
func TestSetupAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, 200)
		defer w.close()
		session := ""
		for n := range 1000 {
			got := w.setupUDP(t, 1, session)
			session = sessionIn(t, got)
			got = w.ask(t, fmt.Sprintf("SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: %d\nSession: %s\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1", n+5, session),
				"RTSP/1.0 200 OK\nCSeq\nSession: 7\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
			if !strings.Contains(got, "interleaved=0-1") {
				t.Fatalf("turn %d: %q", n, got)
			}
			if err := w.checkFrame(t, "origin 0 > client 0"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond) // flows linger for 2 s
		}
		if n := len(w.session(t).retired); n > maxRetired {
			t.Errorf("%d ended streams are kept", n)
		}
		w.client().conn.Close()
		synctest.Wait()
		r := <-w.records
		if r.ToClient.Packets != 1000 || r.End.String() != "CS" {
			t.Errorf("record: end %s %s, %d packets", r.End, r.Why, r.ToClient.Packets)
		}
	})
}
