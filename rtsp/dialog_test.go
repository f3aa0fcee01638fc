package rtsp

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite what the dialogs expect by what came; a person reads the difference")

// step is one block of a dialog: a message of one lane, or one directive.
//
//	C>  the player sends        O<  the origin must receive
//	O>  the origin sends        C<  the player must receive
//	!   something happens       =   something must be so
//	#   a comment
type step struct {
	lane  string
	lines []string // without the lane, as in the file
	line  int      // where it begins in the file
}

// readDialog cuts a file into steps: lines of one lane belong together until an empty line or another lane.
func readDialog(t testing.TB, path string) []step {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	open := false
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		lane, text, _ := strings.Cut(line, " ")
		if line == "" {
			open = false
			steps = append(steps, step{line: i + 1})
			continue
		}
		if open && steps[len(steps)-1].lane == lane && len(lane) == 2 {
			last := &steps[len(steps)-1]
			last.lines = append(last.lines, text)
			continue
		}
		steps = append(steps, step{lane: lane, lines: []string{text}, line: i + 1})
		open = true
	}
	return steps
}

// message is the bytes of a step's message: lines end in CRLF, {len} is the length of the body, {name} what name was bound to.
func (st *step) message(vars map[string]string) []byte {
	head, body, hasBody := st.lines, []string(nil), false
	for i, l := range st.lines {
		if l == "" {
			head, body, hasBody = st.lines[:i], st.lines[i+1:], true
			break
		}
	}
	text := strings.Join(body, "\r\n")
	if hasBody && len(body) > 0 {
		text += "\r\n"
	}
	text = substitute(text, vars)
	vars["len"] = strconv.Itoa(len(text))
	return []byte(substitute(strings.Join(head, "\r\n")+"\r\n\r\n", vars) + text)
}

var placeholder = regexp.MustCompile(`\{([a-z0-9]+)\}`)

func substitute(text string, vars map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		if v, ok := vars[m[1:len(m)-1]]; ok {
			return v
		}
		return m
	})
}

// bind finds in got what the placeholders of want stand for that are not bound yet.
func bind(want, got string, vars map[string]string) {
	for _, m := range placeholder.FindAllStringSubmatchIndex(want, -1) {
		name := want[m[2]:m[3]]
		if _, known := vars[name]; known || name == "len" {
			continue
		}
		lineStart := strings.LastIndexByte(want[:m[0]], '\n') + 1
		prefix := substitute(want[lineStart:m[0]], vars)
		if at := strings.Index("\n"+got, "\n"+prefix); at >= 0 {
			rest := got[at+len(prefix):]
			if n := strings.IndexAny(rest, ";)\r\n \""); n >= 0 {
				vars[name] = rest[:n]
			}
		}
	}
}

// expect compares what came with a step's message; with -update it takes what came over.
func (st *step) expect(t *testing.T, got []byte, vars map[string]string, file string) {
	t.Helper()
	bind(string(st.message(map[string]string{"len": "{len}"})), string(got), vars)
	want := st.message(vars)
	if bytes.Equal(want, got) {
		return
	}
	if *update {
		for name, pattern := range autobind {
			if m := pattern.FindSubmatch(got); m != nil && vars[name] == "" {
				vars[name] = string(m[1])
			}
		}
		text := strings.TrimSuffix(strings.ReplaceAll(string(got), "\r\n", "\n"), "\n")
		text = strings.TrimSuffix(text, "\n")
		for name, v := range vars {
			if name != "len" && len(v) > 4 {
				text = strings.ReplaceAll(text, v, "{"+name+"}")
			}
		}
		st.lines = strings.Split(text, "\n")
		return
	}
	t.Fatalf("%s:%d: lane %s (-want +got):\n%s", file, st.line, st.lane, cmp.Diff(string(want), string(got)))
}

// autobind names what is different in each run, for -update.
var autobind = map[string]*regexp.Regexp{
	"session": regexp.MustCompile(`Session: ([A-Z2-7]{20})`),
	"epoch":   regexp.MustCompile(`mediagate \(([a-z2-7]{8})\)`),
}

func writeDialog(t *testing.T, path string, steps []step) {
	t.Helper()
	var b strings.Builder
	for _, st := range steps {
		for _, l := range st.lines {
			b.WriteString(strings.TrimRight(st.lane+" "+l, " ") + "\n")
		}
		if st.lane == "" {
			b.WriteString("\n")
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDialogs runs each conversation of testdata/dialogs/rtsp through a real session over pipes, with a relay whose
// sockets are made up: four lanes, to the byte.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("../testdata/dialogs/rtsp/*.dialog")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogs: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".dialog"), func(t *testing.T) {
			steps := readDialog(t, file)
			synctest.Test(t, func(t *testing.T) { runDialog(t, file, steps) })
			if *update && !t.Failed() {
				writeDialog(t, file, steps)
			}
		})
	}
}

func runDialog(t *testing.T, file string, steps []step) {
	w := newWorld(t)
	defer w.close()
	w.run(t, file, steps)
}

// run takes the steps of a dialog one by one.
func (w *world) run(t *testing.T, file string, steps []step) {
	vars := map[string]string{}
	for i := range steps {
		st := &steps[i]
		switch st.lane {
		case "", "#":
		case "C>":
			w.client().send(t, st.message(vars))
		case "O>":
			w.origin(t).send(t, st.message(vars))
		case "O<":
			st.expect(t, w.origin(t).receive(t, st.line), vars, file)
		case "C<":
			st.expect(t, w.client().receive(t, st.line), vars, file)
		case "!":
			if err := w.happen(t, substitute(st.lines[0], vars)); err != nil {
				t.Fatalf("%s:%d: %v", file, st.line, err)
			}
		case "=":
			if err := w.check(t, strings.TrimSpace(substitute(st.lines[0], vars))); err != nil {
				t.Fatalf("%s:%d: %v", file, st.line, err)
			}
		default:
			t.Fatalf("%s:%d: %s", file, st.line, fmt.Sprintf("no lane %q", st.lane))
		}
	}
}
