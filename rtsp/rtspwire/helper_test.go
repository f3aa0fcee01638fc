package rtspwire

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/iotest"
)

// transcript reads all of src and tells what was read, one line an item or error.
func transcript(src io.Reader, lim Limits) []string {
	r := NewReader(src, lim)
	var got []string
	for {
		item, err := r.Read()
		var syntax *SyntaxError
		var large *TooLargeError
		switch {
		case err == nil:
			got = append(got, fmt.Sprintf("%T %q", item, item.Append(nil)))
		case errors.As(err, &syntax) && !syntax.Fatal, errors.As(err, &large) && !large.Fatal:
			got = append(got, fmt.Sprintf("%#v", err))
		default:
			return append(got, fmt.Sprintf("%v, %d skipped", err, r.Skipped()))
		}
	}
}

func whole(s string) io.Reader    { return strings.NewReader(s) }
func bytewise(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) }

const (
	setup = "SETUP rtsp://gw.test:554/av/streamid=0 RTSP/1.0\r\n" +
		"Transport: RTP/AVP/UDP;unicast;client_port=5000-5001\r\nCSeq: 3\r\nUser-Agent: Lavf59.27.100\r\n" +
		"Session: 12345678\r\n\r\n"
	reply = "RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Type: application/sdp\r\nContent-Length: 7\r\n\r\nv=0\r\n\x00$"
	block = "$\x01\x00\x05hello"
)
