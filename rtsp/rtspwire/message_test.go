package rtspwire

import "testing"

func TestAppend(t *testing.T) {
	with := func(m *Request, edit func(*Request)) *Request { edit(m); return m }
	for _, tt := range []struct {
		name string
		item Item
		want string
	}{
		{"request", NewRequest("PLAY", "rtsp://a/b"), "PLAY rtsp://a/b RTSP/1.0\r\n\r\n"},
		{"response", NewResponse(200, "OK"), "RTSP/1.0 200 OK\r\n\r\n"},
		{"response without a phrase", NewResponse(200, ""), "RTSP/1.0 200 \r\n\r\n"},
		{"request without a URL", NewRequest("OPTIONS", ""), "OPTIONS * RTSP/1.0\r\n\r\n"},
		{"SetBody", with(NewRequest("A", "*"), func(m *Request) { m.SetBody([]byte("xy")) }), "A * RTSP/1.0\r\nContent-Length: 2\r\n\r\nxy"},
		{"SetBody of nothing", with(NewRequest("A", "*"), func(m *Request) { m.SetBody(nil) }), "A * RTSP/1.0\r\n\r\n"},
		{"SetBody of nothing where something was", with(NewRequest("A", "*"), func(m *Request) {
			m.SetBody([]byte("xy"))
			m.SetBody(nil)
		}), "A * RTSP/1.0\r\nContent-Length: 0\r\n\r\n"},
		{"a body without its length", with(NewRequest("A", "*"), func(m *Request) { m.Body = []byte("xy") }), "A * RTSP/1.0\r\nContent-Length: 2\r\n\r\nxy"},
		{"a length that is not true", with(NewRequest("A", "*"), func(m *Request) {
			m.Header.Add("content-length", "9")
			m.Header.Add("Content-Length", "2")
			m.Body = []byte("xy")
		}), "A * RTSP/1.0\r\ncontent-length: 2\r\n\r\nxy"},
		{"no second line by the URL", NewRequest("A", "rtsp://a/ b\r\nX: y"), "A rtsp://a/%20b%0D%0AX:%20y RTSP/1.0\r\n\r\n"},
		{"no second line by the phrase", NewResponse(400, "a\r\nX: y"), "RTSP/1.0 400 a  X: y\r\n\r\n"},
		{"frame", &Frame{Channel: 2, Payload: []byte("ab")}, "$\x02\x00\x02ab"},
		{"frame that is too long", &Frame{Payload: make([]byte, MaxFramePayload+1)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.item.Append([]byte("|"))); got != "|"+tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestClone(t *testing.T) {
	q := NewRequest("A", "*")
	q.SetBody([]byte("xy"))
	c := q.Clone()
	c.Body[0], c.URL = 'z', "b"
	c.Header.Set("Content-Length", "7")
	p := NewResponse(200, "OK")
	p.SetBody([]byte("xy"))
	d := p.Clone()
	d.Body[0], d.Status = 'z', 404
	d.Header.Add("X", "y")
	if got := string(q.Append(nil)); got != "A * RTSP/1.0\r\nContent-Length: 2\r\n\r\nxy" {
		t.Errorf("the request became %q", got)
	}
	if got := string(p.Append(nil)); got != "RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nxy" {
		t.Errorf("the response became %q", got)
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		`rtspwire: read "start line" at byte 7: x`:  &SyntaxError{Offset: 7, What: "x"},
		`rtspwire: read "a\x00" at byte 0: x`:       &SyntaxError{Field: "a\x00", What: "x"},
		"rtspwire: read body: over the limit of 10": &TooLargeError{What: "body", Limit: 10},
	} {
		if err.Error() != want {
			t.Errorf("got %s, want %s", err, want)
		}
	}
}
