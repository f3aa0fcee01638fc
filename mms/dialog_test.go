package mms

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"mediagate/balancer"
)

var update = flag.Bool("update", false, "rewrite what the dialogs expect by what came; a person reads the difference")

// line is one line of a dialog.
//
//	C>  the player sends        O<  the origin must receive
//	O>  the origin sends        C<  the player must receive
//	C+, O+  another message in the packet of the line before
//	C>>, O>>  the player, the origin sends, and the other side must receive the same
//	@   the lines of parts/NAME.part
//	~   how the gateway is configured; before everything else
//	!   something happens       =   something must be so
//	#   a comment
type line struct {
	lane, text string
	number     int
}

func readDialog(t testing.TB, path string) []line {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []line
	for i, text := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		lane, rest, _ := strings.Cut(text, " ")
		lines = append(lines, line{lane, rest, i + 1})
	}
	return lines
}

// included replaces "@" lines by those of the part that they name.
func included(t testing.TB, lines []line) []line {
	t.Helper()
	var all []line
	for _, l := range lines {
		if l.lane != "@" {
			all = append(all, l)
			continue
		}
		for _, part := range included(t, readDialog(t, "../testdata/dialogs/mms/parts/"+l.text+".part")) {
			part.number = l.number
			all = append(all, part)
		}
	}
	return all
}

func writeDialog(t *testing.T, path string, lines []line) {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(l.lane+" "+l.text, " ") + "\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// taken puts into the lines of a file what became of them.
func taken(written, lines []line) []line {
	for _, l := range lines {
		if w := &written[l.number-1]; w.lane == l.lane {
			w.text = l.text
		}
	}
	return written
}

// configured is what a "~" line says.
func configured(t testing.TB, what string) func(*Config) {
	t.Helper()
	switch what {
	case "UDP is switched off":
		return func(c *Config) { c.NoUDP = true }
	case "the path chooses the node":
		return func(c *Config) { c.ByPath = true }
	case "messages of 1 KiB":
		return func(c *Config) { c.Limits.Message = 1 << 10 }
	case "one connection at once":
		return func(c *Config) { c.Connections = 1 }
	case "live.test and /live have a pool of their own":
		live, err := balancer.New(balancer.Config{Name: "live", Nodes: []balancer.Node{
			{Name: "live1", Addr: worldNode2, Ports: map[string]uint16{Service: 1800}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return func(c *Config) {
			vod := c.Pool
			c.Route = func(host, path string) *balancer.Pool {
				if host == "live.test" || strings.HasPrefix(path, "/live") {
					return live
				}
				return vod
			}
		}
	}
	t.Fatalf("no such configuration %q", what)
	return nil
}

// dialogWorld is the world that a dialog's "~" lines ask for.
func dialogWorld(t testing.TB, lines []line) *world {
	var changes []func(*Config)
	for _, l := range lines {
		if l.lane == "~" {
			changes = append(changes, configured(t, l.text))
		}
	}
	return newWorld(t, changes...)
}

// TestDialogs runs each conversation of testdata/dialogs/mms through a real session over pipes, with a relay whose sockets
// are made up. What was received must all have been expected.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("../testdata/dialogs/mms/*.dialog")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogs: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".dialog"), func(t *testing.T) {
			written := readDialog(t, file)
			lines := included(t, written)
			synctest.Test(t, func(t *testing.T) {
				w := dialogWorld(t, lines)
				defer w.close()
				w.run(t, file, lines)
				for _, e := range append(w.clients, w.origins...) {
					if rest := e.receive(); rest != "" {
						t.Errorf("%s: nobody expected %s", file, rest)
					}
				}
				w.proxy.Close()
				w.nothingLeft(t)
			})
			if *update && !t.Failed() {
				writeDialog(t, file, taken(written, lines))
			}
		})
	}
}

// run takes the lines of a dialog one by one; with -update it takes over what came.
func (w *world) run(t *testing.T, file string, lines []line) {
	t.Helper()
	for i := range lines {
		l := &lines[i]
		if l.lane == "C+" || l.lane == "O+" {
			continue // went with the line before
		}
		if err := w.step(l, alongside(lines[i+1:])); err != nil {
			t.Fatalf("%s:%d: %v", file, l.number, err)
		}
	}
}

// alongside are the messages that go into one packet with the line before.
func alongside(lines []line) []string {
	var more []string
	for _, l := range lines {
		if l.lane != "C+" && l.lane != "O+" {
			break
		}
		more = append(more, l.text)
	}
	return more
}

func (w *world) step(l *line, more []string) error {
	synctest.Wait()
	switch l.lane {
	case "", "#", "~":
		return nil
	case "C>":
		return w.client().say(append([]string{l.text}, more...)...)
	case "C<":
		return l.expect(w.client())
	case "C>>":
		if err := w.client().say(l.text); err != nil {
			return err
		}
		return w.originStep(&line{"O<", l.text, l.number}, nil)
	case "O>", "O<", "O>>":
		return w.originStep(l, more)
	case "!":
		return w.happen(l.text)
	case "=":
		return w.check(l.text)
	}
	return fmt.Errorf("no lane %q", l.lane)
}

func (w *world) originStep(l *line, more []string) error {
	e := w.origin()
	if e == nil {
		return fmt.Errorf("the gateway has dialled no origin")
	}
	if l.lane == "O<" {
		return l.expect(e)
	}
	err := e.say(append([]string{l.text}, more...)...)
	if l.lane == "O>>" && err == nil {
		err = (&line{"C<", l.text, l.number}).expect(w.client())
	}
	return err
}

// expect compares the next message that came with the line.
func (l *line) expect(e *end2) error {
	got := e.receive()
	want := l.text
	if raw, b, err := parseLine(want); err == nil {
		if raw != nil {
			want = messageLine(*raw) // however it was written
		} else if l.text[:4] == "Data" {
			want = got
			if string(b) != string(dataBytes(got)) {
				want = l.text
			}
		}
	}
	if got == want {
		return nil
	}
	if *update && got != "" {
		l.text = got
		return nil
	}
	if got == "" {
		return fmt.Errorf("nothing was received, want %s", want)
	}
	return fmt.Errorf("lane %s (-want +got):\n%s", l.lane, cmp.Diff(strings.Fields(want), strings.Fields(got)))
}

// dataBytes is the Data packet of a line, nil if it is none.
func dataBytes(text string) []byte {
	_, b, err := parseLine(text)
	if err != nil || !strings.HasPrefix(text, "Data ") {
		return nil
	}
	return b
}
