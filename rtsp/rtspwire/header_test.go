package rtspwire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const fieldsIn = "cseq:1\r\nSession:  12 ;timeout=60 \r\nX:\r\nVia: a\r\nvia:\tb\r\nY: caf\xe9\r\n\r\n"

func parseHeader(t *testing.T, fields string) *Header {
	t.Helper()
	return &readOne(t, []byte("OPTIONS * RTSP/1.0\r\n"+fields)).(*Request).Header
}

func TestHeaderReads(t *testing.T) {
	h := parseHeader(t, fieldsIn)
	if h.Get("CSEQ") != "1" || h.Get("session") != "12 ;timeout=60" || h.Get("x") != "" || h.Get("none") != "" {
		t.Errorf("Get: %q, %q, %q", h.Get("CSEQ"), h.Get("session"), h.Get("x"))
	}
	if !h.Has("x") || h.Has("none") || h.Len() != 6 {
		t.Errorf("Has: %v, %v; Len %d", h.Has("x"), h.Has("none"), h.Len())
	}
	if d := cmp.Diff([]string{"a", "b"}, h.Values("VIA")); d != "" {
		t.Errorf("Values: %s", d)
	}
	var all []string
	for name, value := range h.All() {
		if all = append(all, name+"="+value); name == "Via" {
			break
		}
	}
	if d := cmp.Diff([]string{"cseq=1", "Session=12 ;timeout=60", "X=", "Via=a"}, all); d != "" {
		t.Errorf("All: %s", d)
	}
}

// TestHeaderEdit: an edit touches what it names, in its spelling and place, and nothing else.
func TestHeaderEdit(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*Header)
		want string
	}{
		{"nothing", func(*Header) {}, fieldsIn},
		{"set to what it is", func(h *Header) { h.Set("session", "12 ;timeout=60") }, fieldsIn},
		{"set keeps spelling and space", func(h *Header) { h.Set("Session", "9") },
			"cseq:1\r\nSession:  9 \r\nX:\r\nVia: a\r\nvia:\tb\r\nY: caf\xe9\r\n\r\n"},
		{"set removes the others", func(h *Header) { h.Set("VIA", "c") },
			"cseq:1\r\nSession:  12 ;timeout=60 \r\nX:\r\nVia: c\r\nY: caf\xe9\r\n\r\n"},
		{"set of an empty field", func(h *Header) { h.Set("x", "z") },
			"cseq:1\r\nSession:  12 ;timeout=60 \r\nX: z\r\nVia: a\r\nvia:\tb\r\nY: caf\xe9\r\n\r\n"},
		{"set appends", func(h *Header) { h.Set("Z", "1") }, fieldsIn[:len(fieldsIn)-2] + "Z: 1\r\n\r\n"},
		{"add", func(h *Header) { h.Add("Via", "c") }, fieldsIn[:len(fieldsIn)-2] + "Via: c\r\n\r\n"},
		{"del", func(h *Header) { h.Del("via"); h.Del("none") },
			"cseq:1\r\nSession:  12 ;timeout=60 \r\nX:\r\nY: caf\xe9\r\n\r\n"},
		{"edit of each", func(h *Header) { h.Edit("via", func(v string) string { return v + v }) },
			"cseq:1\r\nSession:  12 ;timeout=60 \r\nX:\r\nVia: aa\r\nvia:\tbb\r\nY: caf\xe9\r\n\r\n"},
		{"no line end gets in", func(h *Header) { h.Set("x", "a\r\nSession: evil\x00\xff") },
			"cseq:1\r\nSession:  12 ;timeout=60 \r\nX: a  Session: evil \xff\r\nVia: a\r\nvia:\tb\r\nY: caf\xe9\r\n\r\n"},
		{"nor by the name", func(h *Header) { h.Add("A\r\n : b", "c"); h.Add(" ", "d") }, fieldsIn[:len(fieldsIn)-2] + "Ab: c\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := parseHeader(t, fieldsIn)
			c := h.Clone()
			tt.edit(&c)
			if d := cmp.Diff(tt.want, string(c.append(nil))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if string(h.append(nil)) != fieldsIn {
				t.Errorf("the original became %q", h.append(nil))
			}
		})
	}
}
