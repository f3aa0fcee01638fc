package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"testing"
)

// mark are the notes that stand for work not done: do it, or open an issue.
var mark = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// skipper is the one file that may skip a test: what a machine lacks is printed there, or is a failure in CI.
const skipper = "internal/lab/need.go"

// habitFaults finds what hides work: init functions, skipped tests, marks of work to be done.
func habitFaults(s source) []string {
	var faults []string
	fault := func(n ast.Node, text string) {
		faults = append(faults, fmt.Sprintf("%s:%d: %s", s.path, s.line(n.Pos()), text))
	}
	for _, g := range s.file.Comments {
		for _, c := range g.List {
			if m := mark.FindString(c.Text); m != "" {
				fault(c, m+": do it, or open an issue")
			}
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				fault(n, "init: a constructor does it when it is wanted")
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			skips := ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) &&
				slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, n.Sel.Name)
			if skips && s.path != skipper {
				fault(n, "skips a test: only "+skipper+" may")
			}
		}
		return true
	})
	return faults
}

func TestHabits(t *testing.T) {
	for _, s := range sources(t) {
		if s.path != "internal/archtest/habits_test.go" { // it names what it looks for
			report(t, habitFaults(s))
		}
	}
}

func TestHabitsFindFaults(t *testing.T) {
	const text = `package p
		// TODO: later
		func init() {}
		func (x T) init() {} // a method may be called so; TODOS is another word
		func TestX(t *testing.T) { t.Skip("no"); s.Skip(1) }`
	want(t, habitFaults(made(t, "p/a_test.go", text)), "p/a_test.go:2: TODO", "p/a_test.go:3: init", "p/a_test.go:5: skips")
	want(t, habitFaults(made(t, skipper, "package lab\nfunc f() { t.Skip(1) }")))
}
