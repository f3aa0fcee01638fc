package mms

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// paperRows reads the first table below a heading of docs/protocol/mms.md, without its head.
func paperRows(t *testing.T, heading string) [][]string {
	t.Helper()
	data, err := os.ReadFile("../docs/protocol/mms.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the paper has no heading %q", heading)
	}
	var rows [][]string
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if !strings.HasPrefix(l, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(l, "|"), "|")
		for i, c := range cells {
			cells[i] = strings.Trim(c, " `")
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("the table below %q has %d lines", heading, len(rows))
	}
	return rows[2:]
}

// TestMessagesInPaper: the paper has the rows of table in its order, and no others; sections are those of mmswire.
func TestMessagesInPaper(t *testing.T) {
	sections := sectionsOfWire(t)
	var want, got [][]string
	for _, r := range table {
		from, timed, answers := "origin", "no", "-"
		if fromClient(r.mid) {
			from = "client"
		}
		if r.timed {
			timed = "yes"
		}
		if len(r.answers) > 0 {
			answers = ""
			for _, a := range r.answers {
				answers += "`, `" + short(a)
			}
			answers = strings.TrimPrefix(answers, "`, `")
		}
		want = append(want, []string{short(r.mid), fmt.Sprintf("0x%08x", uint32(r.mid)), from, r.action.String(), answers, timed, sections[short(r.mid)]})
	}
	for _, row := range paperRows(t, "Messages") {
		got = append(got, row[:len(row)-1])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/protocol/mms.md, Messages (-messages.go +paper):\n%s", diff)
	}
}

// sectionsOfWire are the sections that the comments of mmswire's structs cite.
func sectionsOfWire(t *testing.T) map[string]string {
	t.Helper()
	cite := regexp.MustCompile(`\[MS-MMSP\] (2\.2\.4\.\d+)\)`)
	all := make(map[string]string)
	for _, file := range []string{"client.go", "server.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("mmswire", file), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			if m := cite.FindStringSubmatch(g.Doc.Text()); m != nil {
				all[g.Specs[0].(*ast.TypeSpec).Name.Name] = m[1]
			}
		}
	}
	return all
}

// TestResultsInPaper: the paper has every result of status.go with its name, and who it makes the end.
func TestResultsInPaper(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "status.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]string
	ast.Inspect(parsed, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(v.Names[0].Name, "hr") && len(v.Values) == 1 {
			value := v.Values[0].(*ast.BasicLit).Value
			want = append(want, []string{value, strings.TrimSpace(v.Comment.Text()), whoOf(value)})
		}
		return true
	})
	var got [][]string
	for _, row := range paperRows(t, "Results") {
		got = append(got, row[:3])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/protocol/mms.md, Results (-status.go +paper):\n%s", diff)
	}
}

// whoOf is the letter of the verdict that gives a result.
func whoOf(hr string) string {
	for _, v := range verdicts {
		if fmt.Sprintf("0x%08X", v.hr) == hr {
			if v.who == 0 {
				return string(rune(sessionlog.WhoClient))
			}
			return string(rune(v.who))
		}
	}
	return string(rune(sessionlog.WhoInternal)) // what nothing is known about
}

// TestFunnelsInPaper: the examples are judged as the paper says.
func TestFunnelsInPaper(t *testing.T) {
	for _, row := range paperRows(t, "Funnels") {
		name, _ := mmswire.ParseFunnelName(row[1])
		want := map[error]string{nil: "taken", errFunnelPort: "refused, no usable port"}
		err := judgeFunnel(name, netip.MustParseAddr(row[0]))
		got, ok := want[err]
		if !ok {
			got = "refused, another host"
		}
		if got != row[2] {
			t.Errorf("%s from %s: the paper says %q, the code %q", row[1], row[0], row[2], got)
		}
	}
}

// TestTimesInPaper: each wait is as long as the paper says.
func TestTimesInPaper(t *testing.T) {
	w := newWorldOf(t, 2)
	defer w.close()
	d := w.proxy.cfg.Timeouts
	want := map[string]time.Duration{
		"timeouts.first_request": d.FirstRequest, "timeouts.message": d.Message, "timeouts.connect": d.Connect,
		"timeouts.response": d.Response, "timeouts.write": d.Write, "timeouts.idle": d.Idle,
		"openIdle": openIdle, "closeGrace": closeGrace, "tailQuiet": tailQuiet, "tailMost": tailMost,
		"byeTimeout": byeTimeout, "dismissTimeout": dismissTimeout,
	}
	var named []string
	for _, row := range paperRows(t, "Times") {
		got, err := time.ParseDuration(strings.ReplaceAll(row[0], " ", ""))
		if err != nil || got != want[row[1]] {
			t.Errorf("%s: the paper says %s, the code %s", row[1], row[0], want[row[1]])
		}
		named = append(named, row[1])
	}
	for name := range want {
		if !slices.Contains(named, name) {
			t.Errorf("the paper lacks %s", name)
		}
	}
}

// TestDialogsInPaper: what the paper says is tested by a dialog is.
func TestDialogsInPaper(t *testing.T) {
	for _, row := range paperRows(t, "Habits of players") {
		for _, file := range strings.Split(row[2], "`, `") {
			file, _, _ = strings.Cut(file, "`")
			if _, err := os.Stat(filepath.Join("..", file)); err != nil {
				t.Errorf("%s: %v", row[0], err)
			}
		}
	}
}

// TestEndsInPaper: docs/sessionlog.md tells of the end states that the dialogs come to, and of no others.
func TestEndsInPaper(t *testing.T) {
	data, err := os.ReadFile("../docs/sessionlog.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "\n## End states of MMS\n")
	var told, met []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(..)` \\|").FindAllStringSubmatch(text, -1) {
		told = append(told, m[1])
	}
	files, _ := filepath.Glob("../testdata/dialogs/mms/*.dialog")
	for _, file := range files {
		for _, l := range readDialog(t, file) {
			if state, ok := strings.CutPrefix(l.text, "end "); ok && l.lane == "=" {
				met = append(met, strings.Fields(state)[0])
			}
		}
	}
	slices.Sort(told)
	slices.Sort(met)
	if diff := cmp.Diff(slices.Compact(met), told); diff != "" {
		t.Errorf("docs/sessionlog.md, End states of MMS (-dialogs +paper):\n%s", diff)
	}
}
