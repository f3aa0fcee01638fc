package archtest

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)`)
	code     = regexp.MustCompile("`([^`\\s]+)`")
	plain    = regexp.MustCompile(`^\.?[A-Za-z][\w.-]*(/[\w.-]+)+/?$`)
	goFile   = regexp.MustCompile(`[\w-]+(?:/[\w-]+)*\.go\b`)
	newLine  = regexp.MustCompile(`\n`)
	fences   = regexp.MustCompile("(?s)```.*?```")
	citation = regexp.MustCompile(`^https?:|^mailto:|^#`)
)

// tree answers what is in the repository, for papers.
type tree struct {
	has  func(name string) bool // a file or folder, from the root
	tops []string               // names in the root
	gos  []string               // Go files, from the root
}

// history are papers that tell of what was: their links must work, the paths they name may be gone.
func history(paper string) bool {
	return paper == "CHANGELOG.md" || strings.HasPrefix(paper, "docs/adr/")
}

// linkFaults finds relative links of a paper that lead nowhere.
func linkFaults(paper, text string, tr tree) []string {
	var faults []string
	text = fences.ReplaceAllStringFunc(text, blank)
	for _, m := range link.FindAllStringSubmatchIndex(text, -1) {
		target := text[m[2]:m[3]]
		if citation.MatchString(target) {
			continue
		}
		target, _, _ = strings.Cut(target, "#")
		if decoded, err := url.PathUnescape(target); err == nil {
			target = decoded
		}
		if !tr.has(path.Join(path.Dir(paper), target)) {
			faults = append(faults, fmt.Sprintf("%s:%d: link to %q leads nowhere", paper, lineAt(text, m[2]), target))
		}
	}
	return faults
}

// pathFaults finds paths in code marks that begin at a folder of the root (or of the paper) and are not there. Rooms
// that are on the plan may be named before they are built.
func pathFaults(paper, text string, tr tree) []string {
	var faults []string
	for _, m := range code.FindAllStringSubmatchIndex(text, -1) {
		name := strings.TrimPrefix(text[m[2]:m[3]], "./")
		top, _, _ := strings.Cut(name, "/")
		if !plain.MatchString(name) || !slices.Contains(tr.tops, top) {
			continue
		}
		name = strings.TrimSuffix(name, "/")
		if !tr.has(name) && !tr.has(path.Join(path.Dir(paper), name)) && !planned(name, tr) {
			faults = append(faults, fmt.Sprintf("%s:%d: `%s` is not there", paper, lineAt(text, m[2]), name))
		}
	}
	return faults
}

// planned tells whether name is in a room of the plan that has no folder yet.
func planned(name string, tr tree) bool {
	for room := range doors {
		if below(name, room) && !tr.has(room) {
			return true
		}
	}
	return false
}

// fileFaults finds the names of Go files in a paper that no file has.
func fileFaults(paper, text string, tr tree) []string {
	var faults []string
	for _, m := range goFile.FindAllStringIndex(text, -1) {
		name := text[m[0]:m[1]]
		there := func(f string) bool { return f == name || strings.HasSuffix(f, "/"+name) }
		if !slices.ContainsFunc(tr.gos, there) {
			faults = append(faults, fmt.Sprintf("%s:%d: no file is called %s", paper, lineAt(text, m[0]), name))
		}
	}
	return faults
}

func lineAt(text string, offset int) int { return strings.Count(text[:offset], "\n") + 1 }

// blank keeps the lines of a code block and takes away what is on them.
func blank(block string) string { return strings.Join(newLine.FindAllString(block, -1), "") }

func repository(t *testing.T) tree {
	t.Helper()
	dir := root(t)
	tr := tree{gos: walk(t, ".go"), has: func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "bin" && e.Name() != ".git" {
			tr.tops = append(tr.tops, e.Name())
		}
	}
	return tr
}

func TestLinks(t *testing.T) {
	tr := repository(t)
	for _, paper := range walk(t, ".md") {
		text := string(load(t, paper))
		report(t, linkFaults(paper, text, tr))
		if !history(paper) {
			report(t, pathFaults(paper, text, tr))
		}
		if paper == "ARCHITECTURE.md" {
			report(t, fileFaults(paper, text, tr))
		}
	}
}

func TestLinksFindFaults(t *testing.T) {
	there := []string{"README.md", "docs", "docs/a b.md", "docs/adr/0001-x.md", "gateway", "gateway/drain.go", "internal", "internal/lab"}
	tr := tree{tops: []string{"docs", "gateway", "internal"}, gos: []string{"gateway/drain.go"},
		has: func(name string) bool { return slices.Contains(there, name) || name == "." }}

	links := "[a](docs/a%20b.md) [b](https://x.test/y) [c](#top)\n[d](docs/no.md#x) [e](gone.md \"title\")\n```\n[f](gone.md)\n```\n[g](gone2.md)"
	want(t, linkFaults("README.md", links, tr), `README.md:2: link to "docs/no.md"`, `"gone.md"`, `README.md:6: link to "gone2.md"`)
	want(t, linkFaults("docs/x.md", "[a](../README.md) [b](adr/0001-x.md) [c](README.md)", tr), `"README.md"`)

	names := "`gateway/drain.go` `./gateway/` `docs/adr/0001-x.md` `gateway/no.go` `RTP/AVP` `rtp/avp` `docs/adr/*.md` `internal/player`\n" +
		"`mms/mmswire` `internal/capture/tap.go` `internal/lab/no.go` `go test ./gateway/no`"
	want(t, pathFaults("README.md", names, tr), "README.md:1: `gateway/no.go`", "README.md:2: `internal/lab/no.go`")

	files := "`drain.go` and gateway/drain.go, but no rain.go nor\nrtsp/drain.go; drain.golden is no Go file"
	want(t, fileFaults("ARCHITECTURE.md", files, tr), "ARCHITECTURE.md:1: no file is called rain.go", "ARCHITECTURE.md:2: no file is called rtsp/drain.go")

	if !history("docs/adr/0001-x.md") || !history("CHANGELOG.md") || history("docs/config.md") {
		t.Error("history is told from the present wrongly")
	}
}
