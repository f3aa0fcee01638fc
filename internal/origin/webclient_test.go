package origin

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// serveWeb runs an origin with HTTP for the test, at an address of its own.
func serveWeb(t *testing.T, address string, cfg Config) *Server {
	t.Helper()
	cfg.HTTP = netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	cfg.Media = 5204 // other rooms' tests use these addresses too
	return serve(t, address, cfg)
}

// webClient is a hand-written one.
type webClient struct {
	t   *testing.T
	s   *Server
	tcp net.Conn
	br  *bufio.Reader
}

func dialWeb(t *testing.T, s *Server) *webClient {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.Addr().Addr(), 0))}
	tcp, err := d.DialContext(t.Context(), "tcp", s.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() }) // some tests have closed it
	_ = tcp.SetDeadline(time.Now().Add(20 * time.Second))
	return &webClient{t: t, s: s, tcp: tcp, br: bufio.NewReader(tcp)}
}

func (c *webClient) write(text string) {
	c.t.Helper()
	if _, err := c.tcp.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// read is the next response to such a request; its body has still to be read.
func (c *webClient) read(method string) *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no response to %s: %v", method, err)
	}
	return r
}

// ask sends a request of NSPlayer 7 with more lines, or of another if they have a User-Agent.
func (c *webClient) ask(line string, fields ...string) *http.Response {
	c.t.Helper()
	c.send(line, fields...)
	method, _, _ := strings.Cut(line, " ")
	return c.read(method)
}

func (c *webClient) send(line string, fields ...string) {
	c.t.Helper()
	text := strings.Join(fields, "\r\n")
	if !strings.Contains(text, "User-Agent") {
		fields = append(fields, "User-Agent: NSPlayer/7.10.0.3059")
	}
	c.write(line + "\r\nHost: origin.test\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n")
}

// whole sends a request and gives the response with its body.
func (c *webClient) whole(line string, fields ...string) (*http.Response, []byte) {
	c.t.Helper()
	r := c.ask(line, fields...)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return r, body
}

// ended waits until the origin has closed the connection.
func (c *webClient) ended() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.br); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("the connection goes on: %d bytes, %v", n, err)
	}
}

// clientID is that of a response.
func clientID(t *testing.T, r *http.Response) uint32 {
	t.Helper()
	id, ok := parsePragma(r.Header["Pragma"]).number("client-id")
	if !ok {
		t.Fatalf("no client-id: %v", r.Header)
	}
	return id
}

func idField(id uint32) string { return fmt.Sprintf("Pragma: client-id=%d", id) }

// webFrame is a packet of [MS-WMSP] 2.2.3.
type webFrame struct {
	kind               byte
	more               bool
	reason, location   uint32
	incarnation, flags uint8
	payload            []byte
}

// nextFrame reads a packet; at the clean end of the body the error is io.EOF.
func nextFrame(r io.Reader) (f webFrame, err error) {
	var head [4]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	if head[0]&^frameMore != frameMark {
		return f, fmt.Errorf("first byte %#x", head[0])
	}
	f.kind, f.more = head[1], head[0]&frameMore != 0
	b := make([]byte, binary.LittleEndian.Uint16(head[2:]))
	if _, err = io.ReadFull(r, b); err != nil {
		return f, io.ErrUnexpectedEOF
	}
	switch f.kind {
	case frameData, frameHeader, frameMeta:
		if len(b) < 8 || int(binary.LittleEndian.Uint16(b[6:])) != len(b) {
			return f, fmt.Errorf("$%c of %d bytes", f.kind, len(b))
		}
		f.location, f.incarnation, f.flags, f.payload = binary.LittleEndian.Uint32(b), b[4], b[5], b[8:]
	case frameEnd, frameChange:
		f.reason = binary.LittleEndian.Uint32(b)
	}
	return f, nil
}

// mustFrame is the next packet, which has to be of a kind.
func mustFrame(t *testing.T, r io.Reader, kind byte) webFrame {
	t.Helper()
	f, err := nextFrame(r)
	if err != nil || f.kind != kind {
		t.Fatalf("$%c, %v; want $%c", f.kind, err, kind)
	}
	return f
}

// shape reads to the end and gives the kinds of packets, those of the same kind in a row as one.
func shape(t *testing.T, r io.Reader) (kinds string, frames []webFrame) {
	t.Helper()
	for {
		f, err := nextFrame(r)
		if err == io.EOF {
			return kinds, frames
		}
		if err != nil {
			t.Fatalf("after %s: %v", kinds, err)
		}
		if !strings.HasSuffix(kinds, string(f.kind)) {
			kinds += string(f.kind)
		}
		frames = append(frames, f)
	}
}
