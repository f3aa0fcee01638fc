package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// synonyms are the words that our own words replace: one thing, one word, in names, configuration and logs. Only words
// that can mean nothing else here are listed, so that the check does not cry wolf.
var synonyms = map[string]string{
	"upstream":     "origin, node or pool",
	"upstreams":    "nodes or pool",
	"downstream":   "client",
	"backend":      "node or origin",
	"backends":     "nodes or pool",
	"frontend":     "virtual server",
	"frontends":    "virtual servers",
	"vip":          "traffic IP",
	"vips":         "traffic IPs",
	"spoof":        "transparent",
	"spoofed":      "transparent",
	"spoofing":     "transparent",
	"checker":      "monitor",
	"healthcheck":  "monitor",
	"healthchecks": "monitors",
}

// parts splits a name into its words, lower case: "VIPGroup" and "vip_group" are "vip", "group".
func parts(name string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = nil
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			flush()
			continue
		}
		if unicode.IsUpper(r) && i > 0 {
			afterLower := unicode.IsLower(runes[i-1])
			beforeLower := unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1]) && !plural(runes[i+1:])
			if afterLower || beforeLower {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	return out
}

// plural tells whether the rest of a name begins with the "s" of an acronym's plural, as in "VIPs".
func plural(rest []rune) bool { return rest[0] == 's' && (len(rest) == 1 || !unicode.IsLower(rest[1])) }

// wordFaults finds synonyms in the exported names, the configuration keys and the log lines of a file.
func wordFaults(s source) []string {
	var faults []string
	check := func(what, name string, pos token.Pos) {
		for _, w := range parts(name) {
			if ours, bad := synonyms[w]; bad {
				faults = append(faults, fmt.Sprintf("%s:%d: %s %q: %q is called %s here", s.path, s.line(pos), what, name, w, ours))
			}
		}
	}
	if s.test() {
		return nil
	}
	check("package", s.file.Name.Name, s.file.Name.Pos())
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			exported(n.Name, check)
		case *ast.TypeSpec:
			exported(n.Name, check)
		case *ast.ValueSpec:
			for _, name := range n.Names {
				exported(name, check)
			}
		case *ast.Field:
			fieldWords(n, check)
		case *ast.CallExpr:
			logWords(n, check)
		}
		return true
	})
	return faults
}

type checkFunc func(what, name string, pos token.Pos)

func exported(id *ast.Ident, check checkFunc) {
	if id.IsExported() {
		check("name", id.Name, id.Pos())
	}
}

// fieldWords checks the names of a field and the keys of its tag.
func fieldWords(f *ast.Field, check checkFunc) {
	for _, name := range f.Names {
		exported(name, check)
	}
	if f.Tag == nil {
		return
	}
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return // go/parser has refused it before
	}
	for _, kind := range []string{"yaml", "json"} {
		check(kind+" key", reflect.StructTag(tag).Get(kind), f.Tag.Pos())
	}
}

// levels are the methods of a zap.Logger that take a message.
var levels = []string{"Debug", "Info", "Warn", "Error", "DPanic", "Panic", "Fatal"}

// logWords checks the message of a log line, and the key of a zap field.
func logWords(call *ast.CallExpr, check checkFunc) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	x, isName := sel.X.(*ast.Ident)
	isField := isName && x.Name == "zap"
	if isField || slices.Contains(levels, sel.Sel.Name) {
		check("log text", strings.Trim(lit.Value, "\"`"), lit.Pos())
	}
}

func TestWords(t *testing.T) {
	for _, s := range sources(t) {
		report(t, wordFaults(s))
	}
}

func TestParts(t *testing.T) {
	for name, want := range map[string]string{
		"UpstreamConn": "upstream conn", "VIPGroup": "vip group", "groupVIP": "group vip", "VIPs": "vips", "VIPsOf": "vips of", "HTTPServer": "http server", "vip_group": "vip group",
		"HTTPServerV2": "http server v", "a node is down": "a node is down", "": "", "Evip": "evip", "equipment": "equipment",
	} {
		if got := strings.Join(parts(name), " "); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestWordsFindFaults(t *testing.T) {
	const text = `package backend
		type Upstream interface { Spoof() }
		type T struct {
			VIPs  int
			inner int ` + "`yaml:\"vip_group,omitempty\" json:\"ok\"`" + `
		}
		const FrontendMax = 1
		func (t T) Downstream(spoofed int) {}
		func f(upstream int) { // a name of one function's own is its own matter
			l.Info("the backend went away", zap.String("upstream", "backend"))
			fmt.Println("upstream")
		}`
	want(t, wordFaults(made(t, "p/a.go", text)), `package "backend"`, `name "Upstream"`, `name "Spoof"`, `name "VIPs"`,
		`yaml key "vip_group,omitempty"`, `name "FrontendMax"`, `name "Downstream"`, `log text "the backend went away"`, `log text "upstream"`)
	want(t, wordFaults(made(t, "p/a_test.go", text)))
}
