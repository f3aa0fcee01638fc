package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxFile bounds a configuration file. 5,000 nodes need less than half of it.
	maxFile = 1 << 20
	// maxNesting bounds brackets within brackets and dashes on one line; ours go four deep. The parser's time grows
	// faster than the depth does: 64 KiB of "[" keep it busy for minutes.
	maxNesting = 32
	// maxKeys bounds the keys between one list entry and the next; ours are fewer than 50. The parser's time grows with
	// the square of a group's keys.
	maxKeys = 256
)

// readTree turns a file's bytes into the tree of its one document; the tree is nil if there are faults.
func readTree(name string, data []byte) (ast.Node, Faults) {
	whole := func(what string) Faults { return Faults{{File: name, What: what}} }
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case len(data) > maxFile:
		return nil, whole(fmt.Sprintf("the file is larger than %s; give a configuration file", Size(maxFile)))
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		return nil, whole("the file is not UTF-8 text; give a YAML file")
	case len(bytes.TrimSpace(data)) == 0:
		return nil, whole(emptyFile)
	}
	tokens := lexer.Tokenize(string(data))
	if faults := refuseTokens(name, tokens); len(faults) > 0 {
		return nil, faults
	}
	// Duplicate keys are found by our own walk: all of them, and in linear time.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, Faults{syntaxFault(name, err)}
	}
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			return doc.Body, nil
		}
	}
	return nil, whole(emptyFile)
}

const emptyFile = "the file is empty; a virtual server and a pool are the least it must have, docs/config.md has an example"

// refuseTokens finds what YAML allows and this file does not: constructs that make a small file a large one or one
// value a foreign type, a second document, and nesting beyond all sense.
func refuseTokens(name string, tokens token.Tokens) Faults {
	var faults Faults
	var s sprawl
	for i, t := range tokens {
		if what := s.add(t); what != "" {
			return append(faults, tokenFault(name, t, what))
		}
		what := refusals[t.Type]
		if t.Type == token.DocumentHeaderType && (len(faults) > 0 || onlyComments(tokens[:i])) {
			what = ""
		}
		if what != "" {
			f := tokenFault(name, t, what)
			if next := i + 1; next < len(tokens) && (t.Type == token.AnchorType || t.Type == token.AliasType) {
				f.Text = excerpt(t.Value + tokens[next].Value)
			}
			faults = append(faults, f)
		}
	}
	return faults
}

// sprawl counts what makes the parser slow.
type sprawl struct{ depth, dashes, dashLine, keys int }

// add counts one more token and says what is too much.
func (s *sprawl) add(t *token.Token) string {
	switch t.Type {
	case token.SequenceStartType:
		s.depth++
	case token.MappingStartType:
		s.depth++
		s.keys = 0
	case token.SequenceEndType, token.MappingEndType:
		s.depth--
	case token.SequenceEntryType:
		if t.Position.Line != s.dashLine {
			s.dashes, s.dashLine = 0, t.Position.Line
		}
		s.dashes++
		s.keys = 0
	case token.MappingValueType:
		s.keys++
	}
	switch {
	case s.depth > maxNesting || s.dashes > maxNesting:
		return "nested too deeply; check the brackets"
	case s.keys > maxKeys:
		return "too many keys; check that this is a file for mediagate"
	}
	return ""
}

func onlyComments(tokens token.Tokens) bool {
	for _, t := range tokens {
		if t.Type != token.CommentType {
			return false
		}
	}
	return true
}

// refusals says why a kind of token may not be in the file.
var refusals = map[token.Type]string{
	token.AnchorType:         "anchors are not read here; write the value out where it is needed",
	token.AliasType:          "aliases are not read here; write the value out where it is needed",
	token.MergeKeyType:       "merge keys are not read here; write the keys out where they are needed",
	token.TagType:            "tags are not read here; remove it",
	token.DirectiveType:      "directives are not read here; remove the line",
	token.MappingKeyType:     "keys of this form are not read here; write \"key: value\"",
	token.DocumentHeaderType: "the file may hold one document only; move the second one to a file of its own",
}

func tokenFault(name string, t *token.Token, what string) Fault {
	return Fault{File: name, Line: t.Position.Line, Column: t.Position.Column, Text: excerpt(t.Value), What: what}
}

func syntaxFault(name string, err error) Fault {
	f := Fault{File: name, What: "not valid YAML; check quotes, brackets and indentation"}
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil {
		return f
	}
	f = tokenFault(name, y.GetToken(), "")
	f.What = "not valid YAML: " + strings.TrimSuffix(y.GetMessage(), ".") + "; check quotes, brackets and indentation here"
	return f
}

// excerpt shortens offending text to what fits on a line.
func excerpt(s string) string {
	const most = 60
	if line, _, more := strings.Cut(strings.TrimLeft(s, "\r\n"), "\n"); more {
		return excerpt(line) + "..."
	}
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
