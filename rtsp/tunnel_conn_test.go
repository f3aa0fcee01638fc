package rtsp

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTunnelDeadlines: of both directions, with a POST, without one, and set while a read waits.
func TestTunnelDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, key := newTunnels(1), tunnelKey{worldClient.Addr(), "c"}
		near, far := duplex()
		c := newTunnelConn(far, table, key)
		if err := table.open(c); err != nil {
			t.Fatal(err)
		}
		go c.watch()
		go c.feed()
		late := func(what string, want time.Duration, f func() error) {
			t.Helper()
			begun := time.Now()
			if err := f(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != want {
				t.Errorf("%s: %v after %s", what, err, time.Since(begun))
			}
		}
		read := func() error { _, err := c.Read(make([]byte, 10)); return err }
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		late("read without POST", time.Second, read)
		mine, theirs := duplex()
		if _, err := table.park(key, &postHalf{conn: theirs, taken: make(chan struct{})}, true); err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(time.Second))
		late("read with POST", time.Second, read)
		_ = c.SetDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			_ = c.SetReadDeadline(time.Now())
		}()
		late("read that waits", time.Second, read)
		_ = c.SetDeadline(time.Now().Add(time.Second))
		late("write", time.Second, func() error { _, err := c.Write([]byte("x")); return err })
		_ = c.SetDeadline(time.Time{})
		go mine.Write([]byte("T0s="))
		b := make([]byte, 10)
		if n, err := io.ReadAtLeast(c, b, 2); err != nil || string(b[:n]) != "OK" {
			t.Errorf("after its deadlines: %q %v", b[:n], err)
		}
		if err := errors.Join(c.CloseWrite(), c.Close()); err != nil {
			t.Error(err)
		}
		if err := c.Close(); !errors.Is(err, os.ErrClosed) && err == nil {
			t.Error("closed twice without error")
		}
		near.Close()
		mine.Close()
	})
}

// TestThousandsOfHalfTunnels: they are bounded, they end in time, and give way to a whole one.
func TestThousandsOfHalfTunnels(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var players sync.WaitGroup
		for i := range 2000 {
			players.Go(func() {
				near, far := duplex()
				defer near.Close()
				from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i % 50)}), uint16(20000+i))
				w.proxy.ServeConn(&namedConn{halfConn: far, local: worldLocal, remote: from})
				head := []string{getHead, postHead}[i%2]
				_, _ = near.Write(crlf(fmt.Sprintf(head, fmt.Sprint("c", i))))
				_, _ = io.Copy(io.Discard, near)
			})
		}
		synctest.Wait()
		w.proxy.tunnels.mu.Lock()
		if n := w.proxy.tunnels.waiting; n != 500 {
			t.Errorf("%d wait, want 500", n)
		}
		w.proxy.tunnels.mu.Unlock()
		time.Sleep(11 * time.Second)
		players.Wait()
		w.noTunnelLeft(t)
		full, late := 0, 0
		for len(w.records) > 0 {
			switch r := <-w.records; r.End.String() {
			case "RA":
				full++
			case "cA":
				late++
			default:
				t.Errorf("%s %s", r.End, r.Why)
			}
		}
		if full != 1500 || late != 501 { // with the world's own connection, which said nothing
			t.Errorf("%d were too many, %d came too late", full, late)
		}
	}, func(c *Config) { c.Connections = 2003 })
}

// TestTunnelStorm: tunnels of few cookies open, meet, are cut and left, all at once. Nothing hangs, nothing is left.
func TestTunnelStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled := make(chan *halfConn, 100)
		w := newWorldOf(t, 20, func(c *Config) { c.Dial = stalledDial(dialled) })
		defer w.close()
		var origins, players sync.WaitGroup
		origins.Go(func() {
			for conn := range dialled {
				origins.Go(func() { answering(conn) })
			}
		})
		var mu sync.Mutex
		answers := 0
		for p := range 12 {
			players.Go(func() {
				random := rand.New(rand.NewPCG(2, uint64(p)))
				for range 40 {
					near, far := duplex()
					w.proxy.ServeConn(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
					head, body := getHead, ""
					if random.IntN(2) == 0 {
						head, body = postHead, b64(crlf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1"))
						if random.IntN(2) == 0 { // the others bring it whole: some tunnel has it then, in any order of things
							body = body[:random.IntN(len(body)+1)] + body[:random.IntN(len(body)+1)]
						}
					}
					_ = near.SetDeadline(time.Now().Add(time.Duration(random.IntN(4000)) * time.Millisecond))
					_, _ = near.Write(append(crlf(fmt.Sprintf(head, fmt.Sprint(random.IntN(3)))), body...))
					got, _ := io.ReadAll(near)
					mu.Lock()
					answers += strings.Count(string(got), "RTSP/1.0 ")
					mu.Unlock()
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
		w.noTunnelLeft(t)
		if answers == 0 {
			t.Error("no tunnel brought anything")
		}
		for len(w.records) > 0 {
			if r := <-w.records; r.End.Who == 'I' {
				t.Errorf("%s %s", r.End, r.Why)
			}
		}
	})
}

// TestIsTunnel: by cookie or by media type, whole heads only.
func TestIsTunnel(t *testing.T) {
	for _, tc := range []struct {
		name, head string
		want       bool
	}{
		{"ffmpeg GET", "GET /av HTTP/1.1\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\nRange: bytes=0-\r\nConnection: close\r\nHost: gw.test\r\nIcy-MetaData: 1\r\nx-sessioncookie: 0123\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n", true},
		{"POST and its body", "POST /av HTTP/1.0\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\nT1BU", true},
		{"bare LF", "GET /av HTTP/1.0\nX-SESSIONCOOKIE:a\n\n", true},
		{"head not whole", "GET /av HTTP/1.0\r\nx-sessioncookie: a\r\n", false},
		{"page", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"cookie in the body", "POST / HTTP/1.1\r\nHost: a\r\n\r\nx-sessioncookie: a\r\n\r\n", false},
		{"other method", "PUT / HTTP/1.1\r\nx-sessioncookie: a\r\n\r\n", false},
		{"RTSP", "GET / RTSP/1.0\r\nx-sessioncookie: a\r\n\r\n", false},
		{"HTTP/2", "GET / HTTP/2.0\r\nx-sessioncookie: a\r\n\r\n", false},
		{"nothing", "", false},
		{"empty line first", "\r\nGET / HTTP/1.0\r\nx-sessioncookie: a\r\n\r\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := IsTunnel([]byte(tc.head)); got != tc.want {
				t.Errorf("IsTunnel %v", got)
			}
		})
	}
}
