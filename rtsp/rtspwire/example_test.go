package rtspwire_test

import (
	"fmt"
	"io"
	"strings"

	"mediagate/rtsp/rtspwire"
)

func ExampleReader_Read() {
	r := rtspwire.NewReader(strings.NewReader(
		"PLAY rtsp://gw.test/a RTSP/1.0\r\nCSeq: 4\r\n\r\n"+
			"$\x00\x00\x03abc"+
			"RTSP/1.0 200 OK\nCSeq: 4\n\n"), rtspwire.Limits{})
	for {
		item, err := r.Read()
		if err == io.EOF {
			break
		}
		switch m := item.(type) {
		case *rtspwire.Request:
			fmt.Println(m.Method, m.URL, m.Header.Get("cseq"))
		case *rtspwire.Response:
			fmt.Printf("%d %q\n", m.Status, m.Append(nil))
		case *rtspwire.Frame:
			fmt.Printf("channel %d: %s\n", m.Channel, m.Payload)
		}
	}
	fmt.Println(r.Skipped(), "bytes skipped,", r.Buffered(), "left")
	// Output:
	// PLAY rtsp://gw.test/a 4
	// channel 0: abc
	// 200 "RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n"
	// 0 bytes skipped, 0 left
}

func ExampleReader_Rest() {
	r := rtspwire.NewReader(strings.NewReader("POST /a HTTP/1.0\r\nContent-Length: 32767\r\n\r\nT1BUSU9OUw=="), rtspwire.Limits{})
	item, _ := r.Read()
	rest, _ := io.ReadAll(r.Rest())
	fmt.Println(item.(*rtspwire.Request).Version, string(rest))
	// Output: HTTP/1.0 T1BUSU9OUw==
}

func ExampleHeader() {
	m := rtspwire.NewResponse(200, "OK")
	m.Header.Add("CSeq", "3")
	m.Header.Add("Via", "RTSP/1.0 a")
	m.Header.Add("via", "RTSP/1.0 b")
	m.Header.Set("cseq", "7")
	m.Header.Edit("Via", strings.ToUpper)
	fmt.Println(m.Header.Values("VIA"), m.Header.Has("Session"), m.Header.Len())
	copied := m.Header.Clone()
	copied.Del("Via")
	for name, value := range m.Header.All() {
		fmt.Println(name, value)
	}
	// Output:
	// [RTSP/1.0 A RTSP/1.0 B] false 3
	// CSeq 7
	// Via RTSP/1.0 A
	// via RTSP/1.0 B
}

func ExampleRequest_SetBody() {
	m := rtspwire.NewRequest("GET_PARAMETER", "*")
	c := m.Clone()
	m.SetBody([]byte("jitter\r\n"))
	fmt.Printf("%q\n%q\n", m.Append(nil), c.Append(nil))
	// Output:
	// "GET_PARAMETER * RTSP/1.0\r\nContent-Length: 8\r\n\r\njitter\r\n"
	// "GET_PARAMETER * RTSP/1.0\r\n\r\n"
}

func ExampleAppendFrame() {
	fmt.Printf("%q\n", rtspwire.AppendFrame(nil, 1, []byte("ab")))
	// Output: "$\x01\x00\x02ab"
}

func ExampleParseTransport() {
	t, err := rtspwire.ParseTransport("RTP/AVP/TCP;unicast;interleaved=0-1, rtp/avp;Client_Port=5000-5001;x=y;FecSpan=18")
	fmt.Println(len(t), err)
	lo, hi, ok := t[0].Channels()
	fmt.Println(t[0].Protocol(), t[0].Lower(), lo, hi, ok)
	udp := t[1].Clone()
	fmt.Println(udp.Profile(), udp.IsRTP(), udp.Multicast(), udp.Mode() == "")
	fmt.Println(udp.Ports("client_port"))
	udp.SetParam("client_port", "20000-20001")
	udp.SetParam("server_port", "5004-5005")
	udp.DelParam("x")
	fmt.Println(udp)
	fmt.Println(t)
	// Output:
	// 2 <nil>
	// RTP/AVP/TCP tcp 0 1 true
	// AVP true false true
	// {5000 5001 true} true
	//  rtp/avp;Client_Port=20000-20001;FecSpan=18;server_port=5004-5005
	// RTP/AVP/TCP;unicast;interleaved=0-1, rtp/avp;Client_Port=5000-5001;x=y;FecSpan=18
}

func ExampleTransportSpec_SSRC() {
	t, _ := rtspwire.ParseTransport("RTP/AVP;unicast;ssrc=0000ABCD;source=10.0.0.5")
	fmt.Println(t[0].SSRC())
	fmt.Println(t[0].Param("source"))
	// Output:
	// 43981 true
	// 10.0.0.5 true
}

func ExampleSwapAuthority() {
	const u = "rtsp://user@origin.test:554/a%20b?c"
	start, end, ok := rtspwire.Authority(u)
	fmt.Println(u[start:end], ok)
	fmt.Println(rtspwire.SplitHostPort(u[start:end]))
	fmt.Println(rtspwire.SwapAuthority(u, "gw.test"), rtspwire.URLPath(u))
	// Output:
	// origin.test:554 true
	// origin.test 554 true
	// rtsp://user@gw.test/a%20b?c /a%20b?c
}

func ExampleParseRTPInfo() {
	info := rtspwire.ParseRTPInfo(`url="rtsp://origin.test/a,b";seq=1;server_port=5004-5005, url=rtsp://origin.test/c;Seq=9`)
	for _, e := range info {
		e.SetURL(rtspwire.SwapAuthority(e.URL(), "gw.test"))
		e.DelParam("server_port")
	}
	info[1].SetParam("seq", "10")
	_, ok := info[0].Ports("server_port")
	seq, _ := info[1].Param("seq")
	fmt.Println(info, ok, seq)
	// Output: url="rtsp://gw.test/a,b";seq=1, url=rtsp://gw.test/c;Seq=10 false 10
}

func ExampleParseSDP() {
	s := rtspwire.ParseSDP([]byte("c=IN IP4 10.0.0.5/127\na=control:rtsp://origin.test/a/\nm=audio 0 RTP/AVP 96\na=control:track1\n"))
	s.EditControl(func(media int, url string) string { return rtspwire.SwapAuthority(url, "gw.test") })
	s.EditConnection(func(media int, addr string) string { return "0.0.0.0" })
	fmt.Printf("%s%+v\n", s.Append(nil), s.Medias())
	// Output:
	// c=IN IP4 0.0.0.0/127
	// a=control:rtsp://gw.test/a/
	// m=audio 0 RTP/AVP 96
	// a=control:track1
	// [{Type:audio Protocol:RTP/AVP Control:track1 Encoding: Port:0}]
}
