package mms

import (
	"strings"
	"testing"
	"testing/synctest"
)

// TestStranger: what a player speaks is told by its first bytes, in whatever pieces they come, and no sooner than it can be.
func TestStranger(t *testing.T) {
	const none = "nothing that is known here"
	for name, tc := range map[string]struct {
		sent, want string
		after      int // bytes
	}{
		"MMS":                    {"\x01\x00\x00\x00\xce\xfa\x0b\xb0\x30", "", 0},
		"MMS, any version":       {"\x01\x02\x03\x04\xce\xfa\x0b\xb0", "", 0},
		"another mark":           {"\x01\x00\x00\x00\xce\xfa\x0b\xb1", none, 8},
		"TLS":                    {"\x16\x03\x01", "TLS", 1},
		"HTTP":                   {"GET / HTTP/1.0", "HTTP", 4},
		"HTTP, a longer word":    {"CONNECT a:80 HTTP/1.1", "HTTP", 8},
		"RTSP":                   {"DESCRIBE rtsp://gw.test/a RTSP/1.0", "RTSP", 8},
		"RTSP, OPTIONS":          {"OPTIONS * RTSP/1.0", "RTSP", 8},
		"a word of none":         {"EHLO a.test", none, 5},
		"a long word of none":    {"SSH-2.0-OpenSSH", none, 8},
		"a small letter":         {"get / ", none, 1},
		"a Data packet's header": {"\x00\x00\x00\x00\x01\x00\x08\x00", none, 1},
		"nothing":                {"", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var byByte, atOnce greeting
			var told error
			after := 0
			for i := 0; i < len(tc.sent) && told == nil; i++ {
				told = byByte.hear([]byte{tc.sent[i]})
				after = i + 1
			}
			whole := atOnce.hear([]byte(tc.sent))
			if tc.want == "" {
				if told != nil || whole != nil {
					t.Errorf("told: %v, %v", told, whole)
				}
				return
			}
			want := "mms: read greeting: " + tc.want + ", no MMS"
			if told == nil || told.Error() != want || whole == nil || whole.Error() != want || after != tc.after {
				t.Errorf("told after %d bytes: %v; at once: %v; want %q after %d", after, told, whole, want, tc.after)
			}
		})
	}
	if (*greeting)(nil).hear([]byte("GET ")) != nil {
		t.Error("an origin's connection is listened to")
	}
}

// TestOverTheLimit: one connection too many hears so, and has a record; one that comes while the gateway drains has none.
func TestOverTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect()
		got := w.client().receive()
		if !strings.Contains(got, "ReportConnectedEX") || !w.client().closed() {
			t.Errorf("got %q", got)
		}
		synctest.Wait()
		r := <-w.records
		if r.End.String() != "RA" || r.Why != "the limit of connections is reached" || r.ControlClient.Out == 0 || r.Client.Port() == 0 {
			t.Errorf("record: %+v", r)
		}
		w.proxy.stopAccepting()
		w.connect()
		synctest.Wait()
		if len(w.records) != 0 {
			t.Errorf("a record: %+v", <-w.records)
		}
	}, func(c *Config) { c.Connections = 1 })
}
