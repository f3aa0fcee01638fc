package decode

import (
	"encoding/base64"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTunnelOfManyPosts is a player that sends each request by a POST of its own, the second of them encoded in two
// pieces, and another player with the same cookie at another address.
func TestTunnelOfManyPosts(t *testing.T) {
	b := newBench(t)
	get := "GET /a HTTP/1.0\r\nx-sessioncookie: c1\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"
	post := "POST /a HTTP/1.0\r\nx-sessioncookie: c1\r\nContent-Length: 32767\r\n\r\n"
	b.open(player, wms)
	b.say(player, wms, get)
	b.say(wms, player, "HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n")
	other := at("198.51.100.9:40000")
	b.open(other, wms)
	b.say(other, wms, get)
	code := base64.StdEncoding.EncodeToString
	for i, pieces := range [][]string{
		{"OPTIONS rtsp://host/a RTSP/1.0\r\nCSeq: 1\r\n\r\n"},
		{"DESCRIBE rtsp://host/a RTSP/1.0\r\nCS", "eq: 2\r\n\r\n"},
	} {
		from := netip.AddrPortFrom(player.Addr(), player.Port()+1+uint16(i))
		b.open(from, wms)
		b.say(from, wms, post)
		for _, p := range pieces {
			b.say(from, wms, code([]byte(p)))
		}
		b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: "+string(rune('1'+i))+"\r\n\r\n")
	}
	r := b.read()
	if len(r.Conversations) != 2 {
		t.Fatalf("%d conversations", len(r.Conversations))
	}
	c := r.Conversations[0]
	want := []string{"GET /a HTTP/1.0", "HTTP/1.0 200 OK", "POST /a HTTP/1.0", "OPTIONS rtsp://host/a RTSP/1.0", "RTSP/1.0 200 OK",
		"POST /a HTTP/1.0", "DESCRIBE rtsp://host/a RTSP/1.0", "RTSP/1.0 200 OK"}
	var got []string
	for _, e := range c.Events {
		got = append(got, e.Line)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c.Protocol != "rtsp-http" || len(c.Joined) != 2 {
		t.Errorf("%s, joined %v", c.Protocol, c.Joined)
	}
}

// TestBodies reads what follows a head in every way that HTTP has.
func TestBodies(t *testing.T) {
	for _, tc := range []struct{ name, head, body, want, rest string }{
		{"by length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "abcHTTP", "abc", "HTTP"},
		{"of a request without a length", "GET / HTTP/1.1\r\n\r\n", "GET", "", "GET"},
		{"to the end", "HTTP/1.0 200 OK\r\n\r\n", "abcdef", "abcdef", ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\nHTTP", "abcde", "HTTP"},
		{"chunked wrongly", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "zz\r\nabc", "", "abc"},
		{"no content", "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", "HTTP", "", "HTTP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for step := 1; step <= len(tc.body); step++ {
				h, ok := parseHead([]byte(tc.head))
				if !ok {
					t.Fatal("no head")
				}
				s := h.body("GET")
				var got, rest []byte
				for at := 0; at < len(tc.body); at += step {
					b := []byte(tc.body[at:min(len(tc.body), at+step)])
					for len(b) > 0 && !s.over {
						var piece []byte
						piece, b = s.next(b)
						got = append(got, piece...)
					}
					rest = append(rest, b...)
				}
				if string(got) != tc.want || string(rest) != tc.rest {
					t.Errorf("in steps of %d: %q and %q", step, got, rest)
				}
			}
		})
	}
}
