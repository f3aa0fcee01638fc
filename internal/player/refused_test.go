package player_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"mediagate/internal/player"
)

// A second stream that is refused leaves nothing of the first behind at the origin.
func TestRefusedStreamTearsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.143:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	methods := make(chan []string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		methods <- oneStream(c)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = player.Play(ctx, player.Options{URL: "rtspu://" + l.Addr().String() + "/a"})
	if !errors.Is(err, player.ErrTransport) {
		t.Errorf("play: %v, want %v", err, player.ErrTransport)
	}
	if got := strings.Join(<-methods, " "); !strings.HasSuffix(got, "SETUP SETUP TEARDOWN") {
		t.Errorf("the origin heard %s", got)
	}
}

// oneStream serves one conversation as an origin that describes two streams and has room for one, and returns what was asked.
func oneStream(c net.Conn) (methods []string) {
	const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.143\r\ns=a\r\nt=0 0\r\n" +
		"m=audio 0 RTP/AVP 0\r\na=control:1\r\nm=audio 0 RTP/AVP 0\r\na=control:2\r\n"
	r := bufio.NewReader(c)
	for setups := 0; ; {
		var method, cseq, transport string
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return methods
			}
			line = strings.TrimSpace(line)
			if method == "" {
				method, _, _ = strings.Cut(line, " ")
			}
			if name, value, _ := strings.Cut(line, ": "); strings.EqualFold(name, "CSeq") {
				cseq = value
			} else if name == "Transport" {
				transport = value
			}
			if line == "" {
				break
			}
		}
		methods = append(methods, method)
		status, head, body := "200 OK", "", ""
		switch method {
		case "DESCRIBE":
			head, body = "Content-Type: application/sdp\r\n", sdp
		case "SETUP":
			if setups++; setups > 1 {
				status = "461 Unsupported Transport"
			} else {
				head = "Session: 1\r\nTransport: " + transport + ";server_port=7000-7001\r\n"
			}
		}
		fmt.Fprintf(c, "RTSP/1.0 %s\r\nCSeq: %s\r\n%sContent-Length: %d\r\n\r\n%s", status, cseq, head, len(body), body)
	}
}
