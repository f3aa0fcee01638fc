package sessionlog

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const paper = "../../docs/sessionlog.md"

// keys returns the JSON keys of a struct, those of structs in it as "outer.inner", in order.
func keys(typ reflect.Type, prefix string) []string {
	var out []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" {
			continue // a struct that marshals itself, such as Stamp
		}
		inner := []string(nil)
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
			typ = typ.Elem()
			tag += "[]"
		}
		if typ.Kind() == reflect.Struct {
			inner = keys(typ, prefix+tag+".")
		}
		if len(inner) == 0 {
			inner = []string{prefix + tag}
		}
		out = append(out, inner...)
	}
	return out
}

// rows returns the first cells, in code marks, of the table under a heading of the paper, with the rest of their rows.
func rows(t *testing.T, heading string) (first, rest []string) {
	t.Helper()
	data, err := os.ReadFile(paper)
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", paper, heading)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\|$").FindAllStringSubmatch(part, -1) {
		first, rest = append(first, m[1]), append(rest, m[2])
	}
	return first, rest
}

func TestPaperHasEveryField(t *testing.T) {
	got, meanings := rows(t, "Fields")
	if diff := cmp.Diff(keys(reflect.TypeFor[Record](), ""), got); diff != "" {
		t.Errorf("fields of Record (-) and of %s (+):\n%s", paper, diff)
	}
	for i, m := range meanings {
		if cells := strings.Split(m, " | "); len(cells) != 2 || cells[0] == "" || cells[1] == "" {
			t.Errorf("%s: want a type and a meaning, got %q", got[i], m)
		}
	}
}

func TestPaperHasEveryEndState(t *testing.T) {
	for _, tc := range []struct {
		heading string
		table   []letter
	}{{"End state: who", whos}, {"End state: phase", phases}} {
		t.Run(tc.heading, func(t *testing.T) {
			var want, texts []string
			for _, l := range tc.table {
				want, texts = append(want, string(l.char)), append(texts, l.text)
			}
			got, rest := rows(t, tc.heading)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("letters of the code (-) and of %s (+):\n%s", paper, diff)
			}
			for i, r := range rest {
				if !strings.HasPrefix(r, texts[i]+" | ") {
					t.Errorf("`%s`: %q does not begin with the code's %q", got[i], r, texts[i])
				}
			}
		})
	}
}

// TestPaperHasEveryCause: with the words of its sentence, and what to look at.
func TestPaperHasEveryCause(t *testing.T) {
	var want []string
	for _, s := range sentences {
		want = append(want, string(s.kind))
	}
	got, rest := rows(t, "Causes")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("causes of the code (-) and of %s (+):\n%s", paper, diff)
	}
	for i, r := range rest {
		if sentence, look, _ := strings.Cut(r, " | "); sentence != sentences[i].text || look == "" {
			t.Errorf("`%s`: %q is not the code's %q and something to look at", got[i], r, sentences[i].text)
		}
	}
}

// TestDecisionTree: docs/operations.md has a row for each letter of an end state and for each cause, and for no other.
func TestDecisionTree(t *testing.T) {
	data, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(data), "\n## Why is there no picture\n")
	var letters [2][]string
	for i, table := range [][]letter{whos, phases} {
		for _, l := range table {
			letters[i] = append(letters[i], string(l.char))
		}
	}
	var kinds []string
	for _, s := range sentences {
		kinds = append(kinds, string(s.kind))
	}
	for _, tc := range []struct {
		head string
		want []string
	}{{"first letter of `end`", letters[0]}, {"second letter", letters[1]}, {"cause", kinds}} {
		t.Run(tc.head, func(t *testing.T) {
			_, table, found := strings.Cut(part, "| "+tc.head+" | means | look at | do |\n|---|---|---|---|\n")
			if !found {
				t.Fatal("docs/operations.md has no such table")
			}
			table, _, _ = strings.Cut(table, "\n\n")
			var got []string
			for line := range strings.Lines(table) {
				cells := strings.Split(strings.Trim(line, "| \n"), " | ")
				if len(cells) != 4 || slices.Contains(cells, "") {
					t.Errorf("want four cells: %s", line)
				}
				got = append(got, strings.Trim(cells[0], "`"))
			}
			slices.Sort(got)
			slices.Sort(tc.want)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("of the code (-) and of docs/operations.md (+):\n%s", diff)
			}
		})
	}
}

func TestPaperHasTheVersionAndTheExample(t *testing.T) {
	data, err := os.ReadFile(paper)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("This is version %d ", Version); !strings.Contains(string(data), want) {
		t.Errorf("%s does not say %q", paper, want)
	}
	golden, err := os.ReadFile("testdata/full.golden")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "```json\n"+string(golden)+"```") {
		t.Errorf("%s does not show testdata/full.golden as its example", paper)
	}
}

// TestLetters keeps the tables whole: a constant without a row would read '?'.
func TestLetters(t *testing.T) {
	who := []byte{WhoNobody, WhoClient, WhoOrigin, WhoGateway, WhoNode, WhoKilled, WhoResource, WhoInternal, WhoClientTimeout, WhoOriginTimeout}
	phase := []byte{PhaseAccept, PhaseDescribe, PhaseSetup, PhasePlay, PhaseRecord, PhaseTeardown}
	chars := func(table []letter) (out []byte) {
		for _, l := range table {
			out = append(out, l.char)
		}
		return out
	}
	if !slices.Equal(chars(whos), who) || !slices.Equal(chars(phases), phase) {
		t.Errorf("tables %q %q, constants %q %q", chars(whos), chars(phases), who, phase)
	}
}
