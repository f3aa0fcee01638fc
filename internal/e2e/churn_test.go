package e2e

import (
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"mediagate/internal/lab"
)

// TestChurn: hundreds of clients that go away at any byte of a conversation,
// by a close or a reset, each leave one record and nothing else.
func TestChurn(t *testing.T) {
	origin := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "never"})
	g := embed(t, lab.Settings{}, node("one", origin.Addr))
	url := g.URL("a")
	// Requests sent without waiting: the client knows what it would be told but
	// for the session's id, so the last ones are refused.
	talk := strings.Join([]string{
		"OPTIONS " + url + " RTSP/1.0\r\nCSeq: 1\r\n\r\n",
		"DESCRIBE " + url + " RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\n\r\n",
		"SETUP " + url + "/track1 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
		"PLAY " + url + " RTSP/1.0\r\nCSeq: 4\r\nSession: 0\r\n\r\n",
		"$\x00\x00\x04abcd",
	}, "")
	const count, seed = 400, 2326
	random := rand.New(rand.NewPCG(seed, seed))
	var group errgroup.Group
	group.SetLimit(20)
	for range count {
		cut, reset := random.IntN(len(talk)+1), random.IntN(2) == 0
		listen := cut > 200 && random.IntN(2) == 0 // the first request is whole: an answer comes
		group.Go(func() error {
			conn, err := net.Dial("tcp", g.settings.Listen.String())
			if err != nil {
				return err
			}
			if reset {
				_ = conn.(*net.TCPConn).SetLinger(0) // RFC 9293, section 3.10.4: an abort
			}
			_, _ = conn.Write([]byte(talk[:cut])) // a refusal may have closed it
			if listen {
				_, _ = conn.Read(make([]byte, 64)) // at least one answer, or the end
			}
			return conn.Close()
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	g.rests(t)
	lab.Eventually(recordLimit, func() bool { return len(lab.Records(t, g.settings.Records)) >= count })
	if n := len(lab.Records(t, g.settings.Records)); n != count {
		t.Errorf("%d records of %d sessions", n, count)
	}
}
