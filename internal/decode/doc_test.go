package decode

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func paper(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/decode.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPaperCodes holds the table of findings to the codes that are in the code.
func TestPaperCodes(t *testing.T) {
	code := regexp.MustCompile(`(?:d\.find\([\w.]+, |code = |code, text := levelError, )"([a-z-]+)"`)
	found := map[string]bool{}
	files, err := filepath.Glob("verdict*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// "code, text" stands in one assignment with the level
		for _, m := range code.FindAllStringSubmatch(strings.ReplaceAll(string(text), "level, code, text", "code, text"), -1) {
			found[m[1]] = true
		}
	}
	_, table, _ := strings.Cut(paper(t), "## What is wrong")
	table, _, _ = strings.Cut(table, "\n## ")
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(table, -1) {
		told[m[1]] = true
	}
	if len(found) < 25 {
		t.Errorf("only %d codes found in the code", len(found))
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(told))); d != "" {
		t.Errorf("codes (-code +docs/decode.md):\n%s", d)
	}
}

// TestPaperFields holds the tables of JSON to the fields of the structs.
func TestPaperFields(t *testing.T) {
	_, text, _ := strings.Cut(paper(t), "## JSON")
	for row, v := range map[string]any{
		"document": Report{}, "`file`": File{}, "interface": Interface{}, "conversation": Conversation{}, "event": Event{}, "run": Run{},
		"media": Media{}, "flow": Flow{}, "source": Source{}, "reports": Reports{}, "resend": Resend{}, "finding": Finding{},
	} {
		m := regexp.MustCompile("(?m)^\\| " + row + " \\| (.*) \\|$").FindStringSubmatch(text)
		if m == nil {
			t.Errorf("no row for %s", row)
			continue
		}
		for i := range reflect.TypeOf(v).NumField() {
			name, _, _ := strings.Cut(reflect.TypeOf(v).Field(i).Tag.Get("json"), ",")
			if name != "" && !strings.Contains(m[1], "`"+name+"`") {
				t.Errorf("the row of %s lacks %q", row, name)
			}
		}
	}
}

// TestPaperExamples holds the examples to the golden files that they are.
func TestPaperExamples(t *testing.T) {
	for _, name := range []string{"rtsp-nat-ffmpeg-gst.txt", "mmsu-blocked-vlc-gateway.txt"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(paper(t), "```\n"+string(text)+"```\n") {
			t.Errorf("docs/decode.md does not have %s as it is", name)
		}
	}
}

// TestPaperLimits holds the table of limits to the defaults.
func TestPaperLimits(t *testing.T) {
	_, text, _ := strings.Cut(paper(t), "## Limits")
	for what, n := range map[string]int{
		"bytes of a captured packet": DefaultPacket, "TCP connections at once": DefaultConnections, "conversations": DefaultConversations,
		"lines of conversations": DefaultEvents, "datagrams that wait for a fragment": DefaultFragments, "flows of media": DefaultFlows,
		"findings": DefaultFindings,
	} {
		if !strings.Contains(text, "| "+what+" | "+strings.ReplaceAll(group(uint64(n)), ",", "")) {
			t.Errorf("%s: %d is not what the paper says", what, n)
		}
	}
}

// TestCaptureProvenance holds the paper of the captures to what is there.
func TestCaptureProvenance(t *testing.T) {
	text, err := os.ReadFile("../../testdata/pcap/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for name, path := range captures(t) {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("%s is not in the table", name)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 200_000 {
		t.Errorf("the captures have %d bytes, 200,000 are enough", size)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\tb": "a b", "\x1b[31mred": `\x1b[31mred`, "\xff\xfe": `\xff\xfe`, "über": "über", "a\u202eb": `a\xe2\x80\xaeb`,
		"rtsp://alice:secret@host/x":                        "rtsp://alice:***@host/x",
		"http://host/?u=rtsp://bob:pw@h":                    "http://host/?u=rtsp://bob:***@h",
		"see rtsp://alice:s:e:c@host:554/x and @ elsewhere": "see rtsp://alice:***@host:554/x and @ elsewhere",
	} {
		if got := clean(in, 100); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := clean("abcdef", 3); got != "abc..." {
		t.Errorf("cut: %q", got)
	}
}

func TestMaskCredentials(t *testing.T) {
	for in, want := range map[string]string{
		"Basic YWxpY2U6c2VjcmV0": "Basic ***", "NTLM TlRMTVNTUAAB": "NTLM ***", "": " ***",
		`Digest username="alice", realm="r", nonce="n", uri="/a", response="0123", opaque="o"`: `Digest username="alice", realm="r", uri="/a", response=***`,
	} {
		if got := maskCredentials(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		group(0): "0", group(999): "999", group(1000): "1,000", group(1234567): "1,234,567",
		size(9999): "9,999 bytes", size(12_345): "12.3 kB", size(1_020_000): "1.02 MB", size(3_000_000_000): "3.00 GB",
		plural(1, "packet"): "1 packet", plural(1200, "packet"): "1,200 packets", plural(-1, "packet"): "0 packets",
		Seconds(1500).String(): "0.002 ms", Seconds(12_300_000).String(): "12.3 ms", Seconds(4_500_000_000).String(): "4.50 s",
		Seconds(3_725_000_000_000).String(): "1:02:05",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestResults(t *testing.T) {
	for hr, want := range map[uint32]string{
		0: "0x00000000 S_OK", 0xC00D001A: "0xC00D001A NS_E_FILE_NOT_FOUND: there is no such content on the server", 0xC00DFFFF: "0xC00DFFFF",
	} {
		if got := resultText(hr); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
