package decode

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// traced is a trace of one session with both sides.
const traced = `mediagate trace 1
session: abc-1
protocol: rtsp
@ 2026-11-24T07:30:00.000001Z client in 192.0.2.1:40000 192.0.2.9:8554 message, 60 bytes
| OPTIONS rtsp://192.0.2.9/a RTSP/1.0
| CSeq: 1
# 582d4f64643a20ff0d0a
|%[1]s
@ 2026-11-24T07:30:00.000002Z origin out 192.0.2.9:50000 192.0.2.11:554 message, 60 bytes
| OPTIONS rtsp://192.0.2.11/a RTSP/1.0
| CSeq: 1
|%[1]s
difference:
- | OPTIONS rtsp://192.0.2.9/a RTSP/1.0
+ | OPTIONS rtsp://192.0.2.11/a RTSP/1.0
@ 2026-11-24T07:30:00.000003Z origin in port 6970: RTP payload type 96 seq 71 time 9 ssrc 0000beef, 1012 bytes
@ 2026-11-24T07:30:00.500003Z origin in 192.0.2.11:554 192.0.2.9:50000 message, 60 bytes
| RTSP/1.0 404 Not Found
| CSeq: 1
|%[1]s
@ 2026-11-24T07:30:00.500004Z client out 192.0.2.9:8554 192.0.2.1:40000 message, 60 bytes
| RTSP/1.0 404 Not Found
| CSeq: 1
|%[1]s
difference: none
`

// TestTold: what the gateway wrote of the session's end is repeated, and a message that looks like it is not.
func TestTold(t *testing.T) {
	for _, tc := range []struct{ name, head, message, level, text string }{
		{"a bad end", "end: OP\nwhy: origin wms2 closed its connection\n", "", levelWarning, "the gateway says of this session: OP: origin wms2 closed its connection"},
		{"a proper end", "end: -T\nwhy: the player tore the session down\n", "", levelNote, "the gateway says of this session: -T: the player tore the session down"},
		{"none", "", "", "", ""},
		{"none, but a message", "", " \n| end: OP", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(fmt.Sprintf(traced, tc.message), "protocol: rtsp\n", "protocol: rtsp\n"+tc.head, 1)
			rep, err := Read(strings.NewReader(text), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			level, words := "", ""
			for _, f := range rep.Findings {
				if f.Code == "told" {
					level, words = f.Level, f.Text
				}
			}
			if level != tc.level || words != tc.text {
				t.Errorf("%q %q, want %q %q", level, words, tc.level, tc.text)
			}
		})
	}
}

// TestTrace reads the messages of both sides and judges them, as it does those of a capture.
func TestTrace(t *testing.T) {
	rep, err := Read(strings.NewReader(fmt.Sprintf(traced, " ")), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if rep.File.Kind != kindTrace || rep.File.Cut != "" || len(rep.Conversations) != 2 {
		t.Fatalf("file %+v, %d conversations", rep.File, len(rep.Conversations))
	}
	for i, c := range rep.Conversations {
		server := []string{"192.0.2.9:8554", "192.0.2.11:554"}[i]
		if c.Protocol != "rtsp" || c.Server.String() != server || len(c.Events) < 2 {
			t.Errorf("conversation %d: %s with %v, %d events", i, c.Protocol, c.Server, len(c.Events))
		}
	}
	refused := 0
	for _, f := range rep.Findings {
		if f.Code == "refused" {
			refused++
		}
		if strings.Contains(f.Code, "media") {
			t.Errorf("finding about media, of which a trace has none: %s", f.Text)
		}
	}
	if refused != 2 {
		t.Errorf("findings: %+v", rep.Findings)
	}
}

// TestTraceDamaged: a trace that is cut off or damaged is read as far as it goes.
func TestTraceDamaged(t *testing.T) {
	whole := fmt.Sprintf(traced, " ")
	for _, tc := range []struct{ name, text, cut string }{
		{"in a line", whole[:len(whole)-3], "ends too early"},
		{"no time", whole + "@ x client in 192.0.2.1:1 192.0.2.9:1 message, 1 bytes\n", "no message"},
		{"no words", whole + "@ message, \n", "no message"},
		{"two families", whole + "@ 2026-11-24T07:30:00Z client in [::1]:1 192.0.2.9:1 message, 1 bytes\n", "no message"},
		{"no bytes", whole + "@ 2026-11-24T07:30:00Z client in 192.0.2.1:1 192.0.2.9:1 message, 1 bytes\n# zz\n", "no bytes"},
		{"no number", whole + "@ 2026-11-24T07:30:00Z client in 192.0.2.1:1 192.0.2.9:1 message, 1 bytes\ncut: -5 bytes more\n", "no number"},
		{"long line", whole + strings.Repeat("x", 100_000) + "\n", "too long"},
		{"long message", whole + "@ 2026-11-24T07:30:00Z client in 192.0.2.1:1 192.0.2.9:1 message, 1 bytes\n" + strings.Repeat("| 0123456789\n", 10_000), "too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rep, err := Read(strings.NewReader(tc.text), Limits{})
			if err != nil || !strings.Contains(rep.File.Cut, tc.cut) || len(rep.Conversations) < 2 {
				t.Errorf("error %v, report %+v", err, rep)
			}
		})
	}
	if _, err := Read(strings.NewReader("mediagate trace 2\n"), Limits{}); !errors.Is(err, ErrFormat) {
		t.Errorf("another version: %v", err)
	}
}

func FuzzTrace(f *testing.F) {
	f.Add(fmt.Sprintf(traced, " "))
	f.Fuzz(func(t *testing.T, text string) {
		if rep, err := Read(strings.NewReader(traceMagic+"1\n"+text), Limits{}); err != nil || rep == nil {
			t.Errorf("error %v", err)
		}
	})
}
