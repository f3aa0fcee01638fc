package httpfallback

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/balancer"
)

// cells returns the rows of the table under a heading of the paper.
func cells(t *testing.T, heading string) [][]string {
	t.Helper()
	data, err := os.ReadFile("../../docs/protocol/http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("no heading %q", heading)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	var rows [][]string
	for _, m := range regexp.MustCompile("(?m)^\\| (`.*) \\|$").FindAllStringSubmatch(part, -1) {
		rows = append(rows, strings.Split(m[1], " | "))
	}
	return rows
}

// TestPaperHasEveryStatus: what the gateway answers itself, in the order of the code.
func TestPaperHasEveryStatus(t *testing.T) {
	var want [][]string
	for _, v := range verdicts {
		if v.err == context.Canceled {
			continue // nobody is there to read it
		}
		text := v.err.Error()
		want = append(want, []string{fmt.Sprintf("`%d`", v.status), text[strings.LastIndex(text, ": ")+1:], fmt.Sprintf("`%c`", v.who)})
	}
	for _, row := range want {
		row[1] = strings.TrimSpace(row[1])
	}
	if diff := cmp.Diff(want, cells(t, "What the gateway answers itself")); diff != "" {
		t.Error(diff)
	}
}

func TestPaperHasEveryTime(t *testing.T) {
	c, err := Config{Pool: &balancer.Pool{}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Timeouts.FirstRequest": c.Timeouts.FirstRequest.String(), "Timeouts.Message": c.Timeouts.Message.String(),
		"Timeouts.Connect": c.Timeouts.Connect.String(), "Timeouts.Response": c.Timeouts.Response.String(),
		"Timeouts.Write": c.Timeouts.Write.String(), "Timeouts.Idle": c.Timeouts.Idle.String(),
		"Affinity": c.Affinity.String(), "Linger": c.Linger.String(),
		"Limits.Header": fmt.Sprint(c.Limits.Header), "Limits.Body": fmt.Sprint(c.Limits.Body),
	}
	got := make(map[string]string)
	for _, row := range cells(t, "Times and sizes") {
		got[strings.Trim(row[0], "`")] = strings.Trim(row[1], "`")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
