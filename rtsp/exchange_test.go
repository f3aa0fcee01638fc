package rtsp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestAnswersGoWhereTheQuestionCameFrom: a player that comes back on a new connection gets no answer to what it asked on
// the old one.
func TestAnswersGoWhereTheQuestionCameFrom(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := sessionIn(t, w.setupUDP(t, 1, ""))
		w.client().send(t, crlf("GET_PARAMETER rtsp://gw.test/a RTSP/1.0\nCSeq: 2\nSession: "+id))
		old := w.client()
		old.send(t, crlf("GET_PARAMETER rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: "+id))
		w.origin(t).receive(t, 0)
		w.connect(worldClient)
		w.client().send(t, crlf("PAUSE rtsp://gw.test/a RTSP/1.0\nCSeq: 1\nSession: "+id))
		for n := 2; n <= 4; n++ {
			w.origin(t).send(t, crlf(fmt.Sprintf("RTSP/1.0 200 OK\nCSeq: %d\nX-Number: %d", n, n)))
		}
		if got := string(w.client().receive(t, 0)); !strings.Contains(got, "CSeq: 1\r\nX-Number: 4") {
			t.Errorf("got %q", got)
		}
		if err := w.client().isClosed("gets nothing"); err != nil {
			t.Error(err)
		}
		if err := old.isClosed("is closed"); err != nil {
			t.Error(err)
		}
	})
}

// TestNodesAreTriedAgain: nodes that failed one request may serve the next one of the same connection.
func TestNodesAreTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.refuse = 2
		w.client().send(t, crlf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1"))
		if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, "RTSP/1.0 503") {
			t.Fatalf("got %q", got)
		}
		time.Sleep(11 * time.Second) // the pool's pause
		got := w.ask(t, "OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 2", "RTSP/1.0 200 OK\nCSeq")
		if !strings.HasPrefix(got, "RTSP/1.0 200") {
			t.Errorf("got %q", got)
		}
		w.client().conn.Close()
		synctest.Wait()
		if r := <-w.records; strings.Join(r.NodesTried, " ") != "wms1 wms2" || r.Node == "" {
			t.Errorf("nodes tried %q, node %q", r.NodesTried, r.Node)
		}
	})
}

// TestManyOriginConnections: an origin that closes after each answer is dialled anew; nothing piles up.
func TestManyOriginConnections(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		near, far := duplex()
		w.clients = append(w.clients, newEnd(near))
		s := w.proxy.newSession(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
		w.proxy.wg.Go(s.run)
		total := 0
		for n := range 500 {
			got := w.ask(t, fmt.Sprintf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: %d", n), "RTSP/1.0 200 OK\nCSeq\nServer: one")
			if !strings.HasPrefix(got, "RTSP/1.0 200") {
				t.Fatalf("got %q", got)
			}
			total++
			w.origin(t).conn.Close()
			synctest.Wait()
		}
		if len(s.peers) > 4 {
			t.Errorf("%d connections are kept", len(s.peers))
		}
		for i, o := range w.origins {
			if o.node != w.origins[0].node {
				t.Fatalf("connection %d went to %s", i, o.node)
			}
		}
		near.Close()
		synctest.Wait()
		if r := <-w.records; r.Requests != uint64(total) || r.ControlOrigin.In < uint64(total*30) {
			t.Errorf("record: %d requests, origin sent %d bytes", r.Requests, r.ControlOrigin.In)
		}
	})
}

// TestLargeRequestsWait: what waits behind the request in hand is bounded in bytes too, and all of it is served.
func TestLargeRequestsWait(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := w.playTCP(t)
		s := w.session(t)
		body := strings.Repeat("x", 200_000)
		const n = 12
		go func() {
			for i := range n {
				_, _ = w.client().conn.Write([]byte(fmt.Sprintf("SET_PARAMETER rtsp://gw.test/a RTSP/1.0\r\nCSeq: %d\r\nSession: %s\r\nContent-Length: %d\r\n\r\n%s", i+10, id, len(body), body)))
			}
		}()
		for i := range n {
			synctest.Wait()
			if len(s.queue) > 2 {
				t.Fatalf("%d requests wait", len(s.queue))
			}
			got := w.origin(t).receive(t, 0)
			if !bytes.Contains(got, []byte(body)) {
				t.Fatalf("request %d lost its body", i)
			}
			w.origin(t).send(t, crlf(fmt.Sprintf("RTSP/1.0 200 OK\nCSeq: %d", i+3)))
			if got := string(w.client().receive(t, 0)); !strings.Contains(got, fmt.Sprintf("CSeq: %d\r", i+10)) {
				t.Fatalf("got %q", got)
			}
		}
	})
}

// TestPipelineLimit: the 34th request in a row is not read before an answer has left.
func TestPipelineLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client, read := w.client(), 0
		go func() {
			for i := range 60 {
				_, _ = client.conn.Write(crlf(fmt.Sprintf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: %d", i+1)))
				read++
			}
		}()
		synctest.Wait()
		if read != 1+32 {
			t.Errorf("%d requests were read, want the one in hand and 32", read)
		}
		for i := range 60 {
			w.origin(t).receive(t, 0)
			w.origin(t).send(t, crlf(fmt.Sprintf("RTSP/1.0 200 OK\nCSeq: %d", i+1)))
			if got := string(client.receive(t, 0)); !strings.Contains(got, fmt.Sprintf("CSeq: %d\r", i+1)) {
				t.Fatalf("answer %d: %q", i+1, got)
			}
		}
	})
}

// TestStrikesAreEachSidesOwn: what the origin sends wrong is not held against the player.
func TestStrikesAreEachSidesOwn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.ask(t, "OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1", "RTSP/1.0 200 OK\nCSeq")
		for range 2 {
			w.origin(t).send(t, crlf("SET_PARAMETER x RTSP/1.0\nCSeq: 9\nno field"))
		}
		for range 2 {
			w.client().send(t, crlf("OPTIONS\nCSeq: 2"))
			if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, "RTSP/1.0 400") {
				t.Errorf("got %q", got)
			}
		}
		w.mustRun(t)
	})
}

// TestSecretsAreNotLogged: credentials in a URL or in Authorization, and session IDs, are in no log line and in no record.
func TestSecretsAreNotLogged(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	bubble(t, func(t *testing.T, w *world) {
		answer := w.ask(t, "SETUP rtsp://joe:hunter2@gw.test/a/track1 RTSP/1.0\nCSeq: 1\nAuthorization: Basic c2VjcmV0\nTransport: RTP/AVP;unicast;client_port=50000-50001",
			"RTSP/1.0 200 OK\nCSeq\nSession: originid\nTransport: RTP/AVP;unicast;server_port=6970-6971")
		id := sessionIn(t, answer)
		w.client().conn.Close()
		synctest.Wait()
		w.connect(worldClient)
		w.client().send(t, crlf("PAUSE rtsp://joe:hunter2@gw.test/a RTSP/1.0\nCSeq: 1\nSession: wrong"+id))
		w.client().send(t, crlf("PAUSE rtsp://joe:hunter2@gw.test/a\nCSeq: 1\nSession: "+id))
		w.client().send(t, crlf("PAUSE rtsp://joe:hunter2@gw.test/a RTSP/1.0\nCSeq: 1\nAuthorization Basic c2VjcmV0"))
		w.client().send(t, crlf("PAUSE rtsp://gw.test/a RTSP/1.0\nCSeq: 1\nSession "+id))
		w.connect(worldClient)
		w.client().send(t, crlf("PAUSE rtsp://joe:hunter2@gw.test/a RTSP/1.0\nCSeq: 1\nSession: "+id))
		w.origin(t).receive(t, 0)
		w.origin(t).send(t, crlf("RTSP/1.0 200 OK\nCSeq: 2\nSession originid"))
		w.client().conn.Close()
		time.Sleep(100 * time.Second)
		var told strings.Builder
		for _, e := range logs.All() {
			fmt.Fprintln(&told, e.Message, e.ContextMap())
		}
		for len(w.records) > 0 {
			fmt.Fprintf(&told, "%+v\n", <-w.records)
		}
		for _, secret := range []string{"hunter2", "c2VjcmV0", id, "originid"} {
			if strings.Contains(told.String(), secret) {
				t.Errorf("%q is in\n%s", secret, told.String())
			}
		}
	}, func(c *Config) { c.Logger = zap.New(core) })
}

// TestMalformedAnswer: an answer that cannot be read is the end of waiting for it.
func TestMalformedAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.client().send(t, crlf("DESCRIBE rtsp://gw.test/a RTSP/1.0\nCSeq: 7"))
		w.origin(t).receive(t, 0)
		w.origin(t).send(t, crlf("RTSP/1.0 200 OK\nCSeq: 1\nno field"))
		if got := string(w.client().receive(t, 0)); got != "RTSP/1.0 502 Bad Gateway\r\nCSeq: 7\r\n\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

// TestSessionNotNamed: a TEARDOWN that forgets the Session field and that the origin accepts frees the ports.
func TestSessionNotNamed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setupUDP(t, 1, "")
		w.ask(t, "TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 2", "RTSP/1.0 200 OK\nCSeq")
		time.Sleep(3 * time.Second) // linger
		if n := w.relay.InUse(); n != 0 {
			t.Errorf("%d flows in use", n)
		}
		w.client().conn.Close()
		w.mustEnd(t, "-T tore the session down")
	})
}
