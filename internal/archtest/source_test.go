package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the path in go.mod.
const module = "mediagate"

// source is one Go file, read and parsed.
type source struct {
	path  string // from the root, with '/'
	text  []byte
	lines int
	fset  *token.FileSet
	file  *ast.File
}

func (s source) room() string { return path.Dir(s.path) }
func (s source) test() bool   { return strings.HasSuffix(s.path, "_test.go") }

func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

// read parses a Go file.
func read(name string, text []byte) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	return source{path: name, text: text, lines: bytes.Count(text, []byte{'\n'}), fset: fset, file: file}, err
}

// made is read for the made-up files of tests.
func made(t *testing.T, name, text string) source {
	t.Helper()
	s, err := read(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// walk returns the files of the repository whose name ends in suffix, from its root. What git ignores or what is none of
// ours is left out.
func walk(t *testing.T, suffix string) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root(t)), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "bin", "vendor"}, d.Name()) {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(p, suffix) {
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sources returns every Go file but those under testdata.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, name := range walk(t, ".go") {
		if strings.HasPrefix(name, "testdata/") || strings.Contains(name, "/testdata/") {
			continue
		}
		s, err := read(name, load(t, name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		t.Fatal("no Go file was found")
	}
	return out
}

func load(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// root returns the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// report fails the test with each fault.
func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

// want compares the faults that a check found in made-up input with parts of the ones it should have found, in order.
func want(t *testing.T, faults []string, parts ...string) {
	t.Helper()
	if len(faults) != len(parts) {
		t.Fatalf("%d faults, want %d: %q", len(faults), len(parts), faults)
	}
	for i, p := range parts {
		if !strings.Contains(faults[i], p) {
			t.Errorf("fault %q does not name %q", faults[i], p)
		}
	}
}
