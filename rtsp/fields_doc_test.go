package rtsp

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paperRows reads the first table below a heading of docs/protocol/rtsp.md, without its head.
func paperRows(t *testing.T, heading string) [][]string {
	t.Helper()
	data, err := os.ReadFile("../docs/protocol/rtsp.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the paper has no heading %q", heading)
	}
	var rows [][]string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
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

// TestFieldsInPaper: the paper has the rows of fieldTable, word for word and in its order, and no others.
func TestFieldsInPaper(t *testing.T) {
	var want [][]string
	for _, f := range fieldTable {
		want = append(want, []string{f.name, f.request.String(), f.response.String(), f.section, f.why})
	}
	if diff := cmp.Diff(want, paperRows(t, "Fields")); diff != "" {
		t.Errorf("docs/protocol/rtsp.md, Fields (-fields.go +paper):\n%s", diff)
	}
}

// TestFieldsOfMethodsInPaper: each cell of the method table is what judge and next say.
func TestFieldsOfMethodsInPaper(t *testing.T) {
	states := []state{stateNone, stateReady, statePlaying, stateRecording}
	var methods []string
	for _, row := range paperRows(t, "Methods") {
		if len(row) != 1+len(states) {
			t.Fatalf("row %q has %d cells", row[0], len(row))
		}
		methods = append(methods, row[0])
		for i, st := range states {
			want := "forward"
			if err := judge(row[0], st); err != nil {
				want = strconv.Itoa(statusOf(err))
			} else if after := next(st, row[0], 200); after != st {
				want += ", then " + after.String()
			}
			if row[1+i] != want {
				t.Errorf("%s in state %s: paper says %q, code %q", row[0], st, row[1+i], want)
			}
		}
	}
	for _, m := range append(strings.Split(allowed, ", "), methodRedirect, methodPlayNotify) {
		if !slices.Contains(methods, m) {
			t.Errorf("the paper has no row for %s", m)
		}
	}
}

// TestFieldsOfStatusesInPaper: the paper has every status that this gateway makes, and no others.
func TestFieldsOfStatusesInPaper(t *testing.T) {
	want := []string{"400", "413", "414", "500"} // of the wire reader's errors, and of what has no row
	for _, row := range statusTable {
		want = append(want, strconv.Itoa(row.status))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	var got []string
	for _, row := range paperRows(t, "Statuses") {
		got = append(got, row[0])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/protocol/rtsp.md, Statuses (-status.go +paper):\n%s", diff)
	}
}
