package player_test

import (
	"bufio"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"mediagate/internal/asf"
)

// web is what an HTTP server does; it keeps what it was asked.
type web struct {
	server    string // empty: Cougar/9.1.1.3814
	leave     []int  // packets of the file that are never sent
	lose      []int  // packets that are counted as sent and lost
	entries   int    // of a playlist; 0 is 1
	pause     bool   // wait for a keep-alive between two entries
	noHeader  bool   // the header is told in the Describe only
	newHeader bool   // the first header is followed by $C and another. [MS-WMSP] 2.2.1.4.7
	chunked   bool
	breakAt   int    // closes before this packet
	reason    uint32 // of the last $E
	redirect  string
	status    int
	challenge []string // WWW-Authenticate, until the credentials are right
	nonces    int      // that get old after one use
	pairs     bool
	interim   bool
	deaf      bool // no packet ever comes
	junk      string
}

// scriptedWeb is a server that runs a script.
type scriptedWeb struct {
	web
	t    *testing.T
	file *asf.File
	l    net.Listener
	wg   sync.WaitGroup
	kept chan struct{} // a keep-alive came

	mu    sync.Mutex
	conns []net.Conn
	asked []*http.Request
	told  []string // bodies
	stale int
}

func serveWeb(t *testing.T, address string, s web) *scriptedWeb {
	t.Helper()
	file := *samplePackets(t)
	file.Packets = file.Packets[:40]
	file.Header = file.SetPackets(40)
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 0)))
	if err != nil {
		t.Fatal(err)
	}
	x := &scriptedWeb{web: s, t: t, file: &file, l: l, kept: make(chan struct{}, 64)}
	x.wg.Go(x.accept)
	t.Cleanup(func() {
		_ = l.Close()
		x.mu.Lock()
		for _, c := range x.conns {
			_ = c.Close()
		}
		x.mu.Unlock()
		x.wg.Wait()
	})
	return x
}

func (x *scriptedWeb) url() string { return "http://" + x.l.Addr().String() + "/media/a%20b.wmv?x=1" }

func (x *scriptedWeb) accept() {
	for {
		c, err := x.l.Accept()
		if err != nil {
			return
		}
		x.mu.Lock()
		x.conns = append(x.conns, c)
		x.mu.Unlock()
		x.wg.Go(func() {
			defer c.Close()
			br := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				body, err := io.ReadAll(req.Body)
				if err != nil || !x.serve(c, req, string(body)) {
					return
				}
			}
		})
	}
}

// has tells whether a request has a token.
func has(req *http.Request, token string) bool {
	return strings.Contains(strings.Join(req.Header.Values("Pragma"), ","), token)
}

func (x *scriptedWeb) serve(c net.Conn, req *http.Request, body string) (goOn bool) {
	x.mu.Lock()
	x.asked, x.told = append(x.asked, req), append(x.told, body)
	x.mu.Unlock()
	switch {
	case x.status != 0:
		return x.answer(c, x.status, "")
	case x.redirect != "":
		return x.answer(c, http.StatusFound, "", "Location: "+x.redirect)
	case x.challenge != nil && !x.proven(req):
		return x.answer(c, http.StatusUnauthorized, "no", x.challenges()...)
	case has(req, "xKeepAliveInPause=1"):
		x.kept <- struct{}{}
		return x.answer(c, http.StatusOK, "")
	case has(req, "xPlayStrm=1"):
		x.play(c)
		return false
	case req.Method == "POST":
		return x.answer(c, http.StatusNoContent, "")
	}
	describe := x.junk + string(x.header(0))
	extra := []string{}
	if x.pairs && has(req, "packet-pair-experiment=1") {
		extra, describe = []string{"Pragma: packet-pair-experiment=1"}, pairs()+describe
	}
	return x.answer(c, http.StatusOK, describe, extra...)
}

// pairs are three $P packets as [MS-WMSP] 2.2.3.7 has them.
func pairs() string {
	one := func(length, reason, noise int) string {
		b := binary.LittleEndian.AppendUint16([]byte("$P"), uint16(length))
		return string(binary.LittleEndian.AppendUint32(b, uint32(reason))) + strings.Repeat("x", noise)
	}
	return one(504, 200, 304) + one(504, 200, 504) + one(1048, 200, 1248)
}

func (x *scriptedWeb) head(status int, fields ...string) string {
	server := x.server
	if server == "" {
		server = "Cougar/9.1.1.3814"
	}
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nServer: %s\r\nSupported: com.microsoft.wm.sswitch\r\n"+
		"Pragma: no-cache, client-id=4711, features=\"seekable,stridable\", timeout=1000\r\n", status, http.StatusText(status), server)
	if x.interim {
		head = "HTTP/1.1 102 Processing\r\n\r\n" + head
	}
	for _, f := range fields {
		head += f + "\r\n"
	}
	return head
}

func (x *scriptedWeb) answer(c net.Conn, status int, body string, fields ...string) bool {
	_, err := fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n%s", x.head(status, fields...), len(body), body)
	return err == nil
}

// challenges are those of the script, with a nonce that is new.
func (x *scriptedWeb) challenges() (fields []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, ch := range x.challenge {
		fields = append(fields, "WWW-Authenticate: "+strings.ReplaceAll(ch, "NONCE", fmt.Sprintf("n%d", x.stale)))
	}
	return fields
}

// proven checks the credentials of alice:secret, and that they fit the request.
func (x *scriptedWeb) proven(req *http.Request) bool {
	if user, password, ok := req.BasicAuth(); ok {
		return user == "alice" && password == "secret"
	}
	scheme, rest, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if scheme != "Digest" {
		return false
	}
	p := map[string]string{}
	for _, part := range strings.Split(rest, ", ") {
		name, value, _ := strings.Cut(part, "=")
		p[name] = strings.Trim(value, `"`)
	}
	sum := func(text string) string { h := md5.Sum([]byte(text)); return hex.EncodeToString(h[:]) }
	middle := p["nonce"]
	if p["qop"] != "" {
		middle += ":" + p["nc"] + ":" + p["cnonce"] + ":" + p["qop"]
	}
	want := sum(sum("alice:here:secret") + ":" + middle + ":" + sum(req.Method+":"+req.RequestURI))
	x.mu.Lock()
	defer x.mu.Unlock()
	if p["response"] != want || p["uri"] != req.RequestURI || p["nonce"] != fmt.Sprintf("n%d", x.stale) {
		return false
	}
	if x.nonces > 0 && p["nc"] == "00000002" { // the nonce is old now
		x.nonces--
		x.stale++
		return false
	}
	return true
}

// packet is one of [MS-WMSP] 2.2.3.
func packet(id byte, location uint32, flags uint8, payload []byte) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{0xa4, id}, uint16(8+len(payload)))
	b = binary.LittleEndian.AppendUint32(b, location)
	b = binary.LittleEndian.AppendUint16(append(b, 0, flags), uint16(8+len(payload)))
	return append(b, payload...)
}

func reason(id byte, n uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{'$', id, 4, 0}, n)
}

// header is $M and $H in parts.
func (x *scriptedWeb) header(entry int) (b []byte) {
	b = packet('M', 0, 12, fmt.Appendf(nil, "playlist-gen-id=%d, broadcast-id=0, features=\"\"\x00", entry+7))
	for n, part := range slices.Collect(slices.Chunk(x.file.Header, 500)) {
		flags := uint8(0)
		if n == 0 {
			flags = 4
		}
		if (n+1)*500 >= len(x.file.Header) {
			flags |= 8
		}
		b = append(b, packet('H', uint32(n), flags, part)...)
	}
	return b
}

// play sends the answer to a Play.
func (x *scriptedWeb) play(c net.Conn) {
	head, send := x.head(200, "Content-Type: application/x-mms-framed"), func(b []byte) { _, _ = c.Write(b) }
	if x.chunked {
		head = x.head(200, "Transfer-Encoding: chunked")
		send = func(b []byte) { _, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", len(b), b) }
	}
	_, _ = io.WriteString(c, head+"\r\n")
	for entry := range max(x.entries, 1) {
		if entry > 0 {
			if x.pause {
				<-x.kept
				<-x.kept
			}
			send(reason('C', 0))
		}
		if !x.noHeader {
			send(x.header(entry))
		}
		if x.newHeader {
			send(append(reason('C', 0), x.header(entry)...))
		}
		if x.deaf || !x.packets(send) {
			if x.deaf {
				_, _ = c.Read(make([]byte, 1))
			}
			return
		}
		last := x.reason
		if entry+1 < x.entries {
			last = 1
		}
		send(reason('E', last))
	}
	if x.chunked {
		_, _ = io.WriteString(c, "0\r\n\r\n")
	}
}

func (x *scriptedWeb) packets(send func([]byte)) bool {
	sequence := uint8(0)
	for n, p := range x.file.Packets {
		if x.breakAt > 0 && n == x.breakAt {
			return false
		}
		if slices.Contains(x.leave, n) {
			continue
		}
		if !slices.Contains(x.lose, n) {
			send(packet('D', uint32(n), sequence, p))
		}
		sequence++
	}
	return true
}
