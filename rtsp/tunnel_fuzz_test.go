package rtsp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzTunnel gives a tunnel a body and cuts it: into pieces, and into POSTs. What comes out does not depend on the pieces,
// what encoding/base64 reads comes out the same, and nothing hangs.
func FuzzTunnel(f *testing.F) {
	request := crlf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1")
	f.Add([]byte(b64(request)), uint16(3), false)
	f.Add([]byte(b64(request)+"\r\n"+b64(request)), uint16(40), true)
	f.Add([]byte("T1BU=SU9OUw==T1B"), uint16(1), true)
	f.Add([]byte("T===="), uint16(2), false)
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"), uint16(7), false)
	f.Fuzz(func(t *testing.T, body []byte, step uint16, again bool) {
		if len(body) > 16<<10 {
			return
		}
		var d unbase64
		whole := bytes.Clone(body)
		n, bad := d.decode(whole)
		want := whole[:n]
		if std, err := base64.StdEncoding.DecodeString(string(body)); err == nil && !bytes.ContainsAny(body, " \t") && (bad != nil || !bytes.Equal(std, want)) {
			t.Fatalf("%q gives %q, %v", body, want, bad)
		}
		synctest.Test(t, func(t *testing.T) {
			got, err := pourAll(t, body, int(step%97)+1, again)
			if !again && !bytes.Equal(got, want) {
				t.Errorf("in pieces %q, whole %q", got, want)
			}
			if !again && (bad == nil) != errors.Is(err, io.EOF) {
				t.Errorf("whole %v, in pieces %v", bad, err)
			}
		})
	})
}

// pourAll sends a body in steps, each as a POST of its own if again is set, and reads what the tunnel makes of it.
func pourAll(t *testing.T, body []byte, step int, again bool) ([]byte, error) {
	table, key := newTunnels(1), tunnelKey{worldClient.Addr(), "c"}
	near, far := duplex()
	c := newTunnelConn(far, table, key)
	if err := table.open(c); err != nil {
		t.Fatal(err)
	}
	go c.watch()
	go c.feed()
	go func() {
		defer near.Close()
		var post *halfConn
		for len(body) > 0 {
			n := min(step, len(body))
			if post == nil || again {
				if post != nil {
					post.Close()
				}
				mine, theirs := duplex()
				post = mine
				p := &postHalf{conn: theirs, rest: body[:n/2], taken: make(chan struct{})}
				if _, err := table.park(key, p, true); err != nil {
					return // ended by what is no base64
				}
				select {
				case <-p.taken:
				case <-c.done:
					return
				}
				if _, err := post.Write(body[n/2 : n]); err != nil {
					return
				}
			} else if _, err := post.Write(body[:n]); err != nil {
				return
			}
			body = body[n:]
		}
		if post != nil {
			post.Close()
		}
	}()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(c)
	_ = c.Close()
	synctest.Wait()
	if len(table.ends) != 0 || table.waiting < 0 || table.waiting > 1 {
		if e := table.ends[key]; e == nil || e.get != nil {
			t.Errorf("%d tunnels are left, %d wait", len(table.ends), table.waiting)
		}
	}
	return got, err
}

// readAll reads as io.ReadAll does, and keeps io.EOF.
func readAll(r io.Reader) ([]byte, error) {
	var got []byte
	buf := make([]byte, 100)
	for {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			return got, err
		}
	}
}
