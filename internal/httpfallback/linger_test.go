package httpfallback

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
)

// still is a gateway in a bubble of synctest, with one origin behind: nothing of it is a socket, and its time is the
// bubble's.
type still struct {
	proxy   *Proxy
	records chan *sessionlog.Record
}

// newStill answers each connection to the origin by do, as rawOrigin does.
func newStill(t *testing.T, do script, changes ...func(*Config)) *still {
	t.Helper()
	pool, err := balancer.New(balancer.Config{Name: "web", Nodes: []balancer.Node{
		{Name: "a", Addr: netip.MustParseAddr("192.0.2.1"), Ports: map[string]uint16{Service: 80}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := &still{records: make(chan *sessionlog.Record, 8)}
	cfg := Config{Pool: pool,
		Dial: func(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				o := &rawOrigin{}
				o.serve(far, do)
			}()
			return near, nil
		},
		Record: func(r *sessionlog.Record) { s.records <- r },
	}
	for _, change := range changes {
		change(&cfg)
	}
	if s.proxy, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// send asks on a connection of its own and reads up to n bytes of the answer, or all of it.
func (s *still) send(t *testing.T, request string, n int) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	s.proxy.ServeConn(far)
	go func() { _, _ = io.WriteString(near, request) }()
	if n == 0 {
		_, _ = io.Copy(io.Discard, near) // until the gateway closes
		return near
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(near, 16), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	if _, err := io.CopyN(io.Discard, res.Body, int64(n)); err != nil {
		t.Fatal(err)
	}
	// A pipe holds nothing: what is not read keeps the gateway in a write, with a lock that stops the bubble's time.
	go func() { _, _ = io.Copy(io.Discard, res.Body) }()
	return near
}

// TestLogEndsSession: once an origin took the player's log the record comes after two seconds, whatever else of the
// session ends after it; and a new Play is a session that goes on.
func TestLogEndsSession(t *testing.T) {
	const guid = "Pragma: xClientGUID={11223344-1122-1122-1122-AABBCCDDEEFF}"
	logPost := requestOf("POST", "/log", "Pragma: client-id=77", "Content-Type: application/x-wms-LogStats", "Content-Length: 5") + "<XML>"
	play := requestOf("GET", "/a", guid, "Pragma: client-id=77", "Pragma: xPlayStrm=1")
	for _, tc := range []struct {
		name  string
		after func(*still, net.Conn) // what the player does when its stream plays
		wait  time.Duration
		end   string
	}{
		{"log, then the stream is closed", func(s *still, stream net.Conn) {
			s.send(t, logPost, 0)
			time.Sleep(500 * time.Millisecond)
			stream.Close()
		}, afterLog, "-T"},
		{"the stream is closed, then the log", func(s *still, stream net.Conn) {
			stream.Close()
			time.Sleep(500 * time.Millisecond)
			s.send(t, logPost, 0)
		}, afterLog, "-T"},
		{"two logs", func(s *still, stream net.Conn) {
			s.send(t, logPost, 0)
			s.send(t, logPost, 0)
			stream.Close()
		}, afterLog, "-T"},
		{"log, then a new Play", func(s *still, stream net.Conn) {
			s.send(t, logPost, 0)
			stream.Close()
			s.send(t, play, 1000).Close()
		}, 15 * time.Second, "CP"},
		{"log, a new Play, then the old stream is closed", func(s *still, stream net.Conn) {
			s.send(t, logPost, 0)
			again := s.send(t, play, 1000)
			time.Sleep(time.Second)
			again.Close()
			time.Sleep(time.Second)
			stream.Close()
		}, 15 * time.Second, "CP"},
		{"no log", func(_ *still, stream net.Conn) { stream.Close() }, 15 * time.Second, "CP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStill(t, func(conn net.Conn, r *http.Request) bool {
					if r.Method == http.MethodPost {
						_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
						return true
					}
					_, _ = io.WriteString(conn, framedHead+stream(2))
					_, _ = conn.Read(make([]byte, 1)) // until it is closed
					return false
				})
				tc.after(s, s.send(t, play, 1000))
				synctest.Wait()
				time.Sleep(tc.wait - time.Millisecond)
				synctest.Wait()
				if len(s.records) != 0 {
					t.Errorf("the record came before %v", tc.wait)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if len(s.records) != 1 {
					t.Fatalf("%d records after %v", len(s.records), tc.wait)
				}
				if r := <-s.records; r.End.String() != tc.end || strings.Contains(tc.name, "log") && tc.name != "no log" && r.ClientLog == nil {
					t.Errorf("end %s, %s, log %v, want %s", r.End, r.Why, r.ClientLog, tc.end)
				}
				_ = s.proxy.Close()
			})
		})
	}
}
