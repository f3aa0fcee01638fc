package archtest

import (
	"fmt"
	"go/ast"
	"strings"
	"testing"
)

// The budgets of files and functions that are no tests, in lines. Past the first a reason must be written down, past
// the second none is good enough.
const (
	fileLines, fileLimit = 300, 500
	funcLines, funcLimit = 45, 80
)

var (
	fileReason = fmt.Sprintf("// Over %d lines: ", fileLines)
	funcReason = fmt.Sprintf("// Over %d lines: ", funcLines)
)

// sizeFaults measures a file and its functions.
func sizeFaults(s source) []string {
	if s.test() {
		return nil
	}
	var faults []string
	if f := over(s.lines, fileLines, fileLimit, fileReason, beforePackage(s)); f != "" {
		faults = append(faults, s.path+": "+f)
	}
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		n := s.line(fn.End()) - s.line(fn.Pos()) + 1
		if f := over(n, funcLines, funcLimit, funcReason, comment(fn.Doc)); f != "" {
			faults = append(faults, fmt.Sprintf("%s:%d: %s: %s", s.path, s.line(fn.Pos()), fn.Name.Name, f))
		}
	}
	return faults
}

func over(n, budget, limit int, reason, text string) string {
	switch {
	case n > limit:
		return fmt.Sprintf("%d lines, and %d are the limit", n, limit)
	case n > budget && !strings.Contains(text, reason):
		return fmt.Sprintf("%d lines: split it, or say why at its top with %q", n, reason)
	}
	return ""
}

// beforePackage returns the comments above the package clause, and the first ones below it, up to the first declaration.
func beforePackage(s source) string {
	end := s.file.End()
	if len(s.file.Decls) > 0 {
		end = s.file.Decls[0].Pos()
	}
	var text strings.Builder
	for _, g := range s.file.Comments {
		if g.Pos() < end {
			text.WriteString(comment(g))
		}
	}
	return text.String()
}

// comment returns a comment as it is written, "//" and all.
func comment(g *ast.CommentGroup) string {
	if g == nil {
		return ""
	}
	var text strings.Builder
	for _, c := range g.List {
		text.WriteString(c.Text + "\n")
	}
	return text.String()
}

func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		report(t, sizeFaults(s))
	}
}

func TestSizesFindFaults(t *testing.T) {
	// body makes a file of one function of n lines, in a file of at least m lines.
	body := func(top, doc string, n, m int) string {
		fn := doc + "func f() {\n" + strings.Repeat("\tg()\n", n-2) + "}\n"
		head := "package p\n" + top
		return head + fn + strings.Repeat("// filler\n", max(0, m-strings.Count(head+fn, "\n")))
	}
	for _, tc := range []struct {
		name, path, text string
		want             []string
	}{
		{"within", "p/a.go", body("", "", 45, 300), nil},
		{"long file", "p/a.go", body("", "", 10, 301), []string{"p/a.go: 301 lines: split it"}},
		{"long file with a reason", "p/a.go", body("// Over 300 lines: one table\n\n", "", 10, 301), nil},
		{"far too long file", "p/a.go", body("// Over 300 lines: one table\n\n", "", 10, 501), []string{"501 lines, and 500"}},
		{"a reason elsewhere is none", "p/a.go", body("", "", 10, 301) + "// Over 300 lines: too late\n", []string{"302 lines"}},
		{"long function", "p/a.go", body("", "", 46, 0), []string{"p/a.go:2: f: 46 lines: split it"}},
		{"long function with a reason", "p/a.go", body("", "// f is.\n// Over 45 lines: one switch\n", 46, 0), nil},
		{"far too long function", "p/a.go", body("", "// Over 45 lines: one switch\n", 81, 0), []string{"81 lines, and 80"}},
		{"tests are as long as they are", "p/a_test.go", body("", "", 90, 600), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want(t, sizeFaults(made(t, tc.path, tc.text)), tc.want...)
		})
	}
}
