package lab

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// Ending is how a scripted origin treats a connection when its time has come.
type Ending string

// The endings.
const (
	EndClose   Ending = "close"   // an orderly end of the connection
	EndReset   Ending = "reset"   // a TCP reset, as of a process that crashed
	EndSilence Ending = "silence" // nothing: the connection stays open
	EndGarbage Ending = "garbage" // bytes that are no RTSP, then silence
)

// Script says at which request an origin ends, and how. A request is answered
// before the origin ends at the next one; with After, right after its answer.
type Script struct {
	At     string // method, "" for right after accept
	After  bool   // answer it first; for PLAY, media runs for a moment before the end
	Ending Ending
	Mute   bool // PLAY is answered and nothing is sent
	Flood  bool // PLAY sends 20 MB a second until the connection ends
}

// ScriptOrigin is an origin that answers in order until its script says
// otherwise. It sends interleaved media, or to client_port over UDP.
type ScriptOrigin struct {
	Addr   netip.AddrPort
	script Script
	l      net.Listener
	wg     sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]bool
	requests []string // methods in the order they came, of all connections
}

// StartScriptOrigin runs a scripted origin at addr until the end of the test.
func StartScriptOrigin(t testing.TB, addr netip.Addr, script Script) *ScriptOrigin {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		t.Fatalf("lab: start scripted origin: %v", err)
	}
	o := &ScriptOrigin{Addr: l.Addr().(*net.TCPAddr).AddrPort(), script: script, l: l, conns: map[net.Conn]bool{}}
	o.wg.Go(o.accept)
	t.Cleanup(o.Close)
	return o
}

// Close ends the origin and waits for its connections.
func (o *ScriptOrigin) Close() {
	_ = o.l.Close()
	o.mu.Lock()
	for c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// Requests gives the methods that came so far.
func (o *ScriptOrigin) Requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.requests...)
}

func (o *ScriptOrigin) accept() {
	for {
		c, err := o.l.Accept()
		if err != nil {
			return // closed
		}
		o.mu.Lock()
		o.conns[c] = true
		o.mu.Unlock()
		o.wg.Go(func() {
			o.serve(c.(*net.TCPConn))
			o.mu.Lock()
			delete(o.conns, c)
			o.mu.Unlock()
			_ = c.Close()
		})
	}
}

// serve answers one connection until the script ends it.
func (o *ScriptOrigin) serve(c *net.TCPConn) {
	if o.script.At == "" {
		end(c, o.script.Ending)
		return
	}
	r := bufio.NewReader(c)
	for {
		method, url, header, err := readRequest(r)
		if err != nil {
			return
		}
		o.mu.Lock()
		o.requests = append(o.requests, method)
		o.mu.Unlock()
		last := method == o.script.At
		if last && !o.script.After {
			end(c, o.script.Ending)
			return
		}
		if _, err := c.Write([]byte(answer(method, url, header))); err != nil {
			return
		}
		if method == "PLAY" && !o.script.Mute {
			play(c, o.script.Flood)
		}
		if last {
			end(c, o.script.Ending)
			return
		}
	}
}

// end treats the connection as the script wants; the caller closes it.
func end(c *net.TCPConn, how Ending) {
	switch how {
	case EndReset:
		_ = c.SetLinger(0) // RFC 9293, section 3.10.4: an abort sends a reset
	case EndSilence, EndGarbage:
		if how == EndGarbage {
			_, _ = c.Write([]byte(strings.Repeat("\x00\x01garbage", 20000)))
		}
		_, _ = c.Read(make([]byte, 1)) // until the other side or Close ends it
		for {
			if _, err := c.Read(make([]byte, 4096)); err != nil {
				return
			}
		}
	}
}

// play sends interleaved packets for a quarter of a second, or as a flood
// until the connection ends.
func play(c net.Conn, flood bool) {
	size, pause := 12+100, 10*time.Millisecond
	if flood {
		size, pause = 12+1400, time.Millisecond
	}
	packet := make([]byte, size)
	packet[0], packet[1] = 0x80, 96 // RFC 3550, section 5.1: version 2, payload type 96
	for i := 0; flood || i < 25; i++ {
		packet[2], packet[3] = byte(i>>8), byte(i)
		frame := append([]byte{'$', 0, byte(size >> 8), byte(size)}, packet...)
		if _, err := c.Write(frame); err != nil {
			return
		}
		if !flood || i%16 == 0 {
			time.Sleep(pause)
		}
	}
}

// readRequest reads one request; frames before it are thrown away.
func readRequest(r *bufio.Reader) (method, url string, header textproto.MIMEHeader, err error) {
	for {
		first, err := r.Peek(1)
		if err != nil {
			return "", "", nil, err
		}
		if first[0] != '$' {
			break
		}
		if _, err := readFrame(r); err != nil {
			return "", "", nil, err
		}
	}
	tr := textproto.NewReader(r)
	line, err := tr.ReadLine()
	if err != nil {
		return "", "", nil, err
	}
	f := strings.Fields(line)
	if len(f) != 3 {
		return "", "", nil, fmt.Errorf("no request line: %q", line)
	}
	if header, err = tr.ReadMIMEHeader(); err != nil {
		return "", "", nil, err
	}
	_, err = readBody(r, header)
	return f[0], f[1], header, err
}

// scriptSDP describes one video stream that nobody decodes.
const scriptSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=scripted\r\nt=0 0\r\n" +
	"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"

// answer is a plain reply to any request.
func answer(method, url string, header textproto.MIMEHeader) string {
	var b strings.Builder
	fmt.Fprintf(&b, "RTSP/1.0 200 OK\r\nCSeq: %s\r\n", header.Get("CSeq"))
	switch method {
	case "OPTIONS":
		b.WriteString("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n")
	case "DESCRIBE":
		fmt.Fprintf(&b, "Content-Base: %s/\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", url, len(scriptSDP), scriptSDP)
		return b.String()
	case "SETUP":
		transport := header.Get("Transport")
		if !strings.Contains(transport, "interleaved") {
			transport += ";server_port=29998-29999"
		}
		fmt.Fprintf(&b, "Session: 4711;timeout=60\r\nTransport: %s\r\n", transport)
	default:
		b.WriteString("Session: 4711\r\n")
	}
	return b.String() + "\r\n"
}
