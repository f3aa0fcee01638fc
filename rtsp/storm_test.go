package rtsp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/balancer"
	"mediagate/rtsp/rtspwire"
)

// answering makes an origin that grants everything, at once.
func answering(e *halfConn) {
	defer e.Close()
	read := rtspwire.NewReader(e, rtspwire.Limits{})
	for n := 0; ; n++ {
		item, err := read.Read()
		if err != nil {
			return
		}
		req, ok := item.(*rtspwire.Request)
		if !ok {
			continue
		}
		id := req.Header.Get("Session")
		if id == "" {
			id = fmt.Sprint("s", n)
		}
		text := fmt.Sprintf("RTSP/1.0 200 OK\nCSeq: %s\nSession: %s", req.Header.Get("CSeq"), id)
		if req.Method == methodSetup {
			text += "\nTransport: RTP/AVP;unicast;server_port=6970-6971"
		}
		if _, err := e.Write(crlf(text)); err != nil {
			return
		}
	}
}

// TestPlayersComeAndGo: many players of one address leave their connections and come back on others, all at once, with each
// other's sessions too. Nothing hangs, nothing is left.
func TestPlayersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled := make(chan *halfConn, 100)
		w := newWorldOf(t, 200, func(c *Config) { c.Dial = stalledDial(dialled) })
		defer w.close()
		var origins, players sync.WaitGroup
		origins.Go(func() {
			for conn := range dialled {
				origins.Go(func() { answering(conn) })
			}
		})
		var mu sync.Mutex
		var ids []string
		for p := range 12 {
			players.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(p)))
				for range 30 {
					mu.Lock()
					request := fmt.Sprintf("SETUP rtsp://gw.test/a RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP;unicast;client_port=%d-%d", 40000+2*p, 40001+2*p)
					if len(ids) > 3 {
						method := []string{methodGetParameter, methodPlay, methodPause, methodTeardown}[random.IntN(4)]
						request = fmt.Sprintf("%s rtsp://gw.test/a RTSP/1.0\nCSeq: 1\nSession: %s", method, ids[random.IntN(len(ids))])
					}
					mu.Unlock()
					near, far := duplex()
					w.proxy.ServeConn(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
					read := rtspwire.NewReader(near, rtspwire.Limits{})
					if _, err := near.Write(crlf(request)); err == nil {
						if item, err := read.Read(); err == nil {
							if resp, ok := item.(*rtspwire.Response); ok && strings.HasPrefix(request, "SETUP") {
								mu.Lock()
								ids = append(ids, resp.Header.Get("Session"))
								mu.Unlock()
							}
						}
					}
					near.Close()
				}
			})
		}
		players.Wait()
		begun := time.Now()
		w.proxy.Close()
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("closing took %s", took)
		}
		close(dialled)
		origins.Wait()
		w.nothingLeft(t)
		for len(w.records) > 0 {
			if r := <-w.records; r.End.Who == 'I' {
				t.Errorf("%s %s", r.End, r.Why)
			}
		}
	})
}

// TestHugeDescription: a description of millions of bytes passes, in time and with what it makes us remember bounded.
func TestHugeDescription(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var sdp strings.Builder
		sdp.WriteString("v=0\r\n")
		for i := 0; sdp.Len() < 3<<20; i++ {
			fmt.Fprintf(&sdp, "m=video 0 RTP/AVP 96\r\na=control:rtsp://cam.local/a/track%d\r\n", i)
		}
		w.client().send(t, crlf("DESCRIBE rtsp://gw.test/a RTSP/1.0\nCSeq: 1"))
		w.origin(t).receive(t, 0)
		w.origin(t).send(t, []byte(fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", sdp.Len(), sdp.String())))
		got := string(w.client().receive(t, 0))
		if strings.Contains(got, "cam.local") || !strings.Contains(got, "rtsp://gw.test/a/track9") {
			t.Errorf("%d bytes, and the origin's name is in them", len(got))
		}
		w.mustRun(t)
	})
}

// TestRedirectToAPort: of two nodes at one address the port in Location tells which is meant.
func TestRedirectToAPort(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		one := netip.MustParseAddr("198.51.100.7")
		if err := w.pool.SetNodes([]balancer.Node{
			{Name: "a", Addr: one, Ports: map[string]uint16{Service: 554}},
			{Name: "b", Addr: one, Ports: map[string]uint16{Service: 8554}},
		}); err != nil {
			t.Fatal(err)
		}
		w.client().send(t, crlf("DESCRIBE rtsp://gw.test/x RTSP/1.0\nCSeq: 1"))
		first := w.origin(t)
		first.receive(t, 0)
		other := map[uint16]uint16{554: 8554, 8554: 554}[first.node.Port()]
		first.send(t, crlf(fmt.Sprintf("RTSP/1.0 302 Found\nCSeq: 1\nLocation: rtsp://198.51.100.7:%d/y", other)))
		if got := string(w.origin(t).receive(t, 0)); w.origin(t).node.Port() != other || !strings.HasPrefix(got, fmt.Sprintf("DESCRIBE rtsp://198.51.100.7:%d/y ", other)) {
			t.Errorf("%s got %q", w.origin(t).node, got)
		}
	})
}
