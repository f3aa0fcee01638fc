package config

import (
	"errors"
	"net/netip"
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// placeOf returns where a node begins. The library gives a mapping the place of its first colon and a block list that
// of its first dash; an operator looks for the first key.
func placeOf(n ast.Node) place {
	if pairs, ok := mappingPairs(n); ok && len(pairs) > 0 {
		p := placeOf(pairs[0].Key)
		p.text = ""
		return p
	}
	var t *token.Token
	if n != nil {
		t = n.GetToken()
	}
	if t == nil || t.Position == nil {
		return place{}
	}
	p := place{line: t.Position.Line, column: t.Position.Column}
	if text, ok := scalarText(n); ok && !isNull(n) {
		p.text = excerpt(text)
	}
	return p
}

// scalarText returns the text of a single value; ok is false for lists and groups.
func scalarText(n ast.Node) (text string, ok bool) {
	switch n := n.(type) {
	case nil:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func isNull(n ast.Node) bool { return n == nil || n.Type() == ast.NullType }

func isText(n ast.Node) bool { return n.Type() == ast.StringType || n.Type() == ast.LiteralType }

// mappingPairs returns the pairs of a group, which the library gives in two forms.
func mappingPairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyText(pair *ast.MappingValueNode) string {
	if text, ok := scalarText(pair.Key); ok {
		return text
	}
	return pair.Key.GetToken().Value
}

func kindOf(n ast.Node) string {
	if _, ok := mappingPairs(n); ok {
		return "a group of keys"
	}
	if _, ok := n.(*ast.SequenceNode); ok {
		return "a list"
	}
	return "a single value"
}

// readAddress reads a node's address.
func readAddress(n ast.Node, a *netip.Addr) error {
	text, _ := scalarText(n)
	ip, err := netip.ParseAddr(text)
	if err != nil {
		if _, err := netip.ParseAddrPort(text); err == nil {
			return errors.New("the port does not belong here; write the address alone and the port as \"ports: {rtsp: ...}\"")
		}
		if isURL(text) {
			return errors.New("a URL is not an address; give the IP address alone")
		}
		return errors.New("not an IP address; give an IP address, names are not resolved")
	}
	if what := zoneFault(ip.Zone()); what != "" {
		return errors.New(what)
	}
	*a = ip.Unmap()
	return nil
}

// readPlain reads a string, a number, a port or a switch into v.
func readPlain(n ast.Node, v reflect.Value) error {
	text, _ := scalarText(n)
	switch v.Kind() {
	case reflect.String:
		if !isText(n) {
			return errors.New("text belongs here, YAML reads this as another kind of value; put it in quotes")
		}
		v.SetString(text)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			return errors.New("true or false belongs here")
		}
		v.SetBool(b.Value)
	case reflect.Uint16:
		port, err := parsePort(text)
		if err != nil {
			return err
		}
		v.SetUint(uint64(port))
	default:
		i, err := strconv.ParseInt(text, 10, 32)
		if err != nil || !isDecimal(text) {
			return errors.New("a whole number belongs here")
		}
		v.SetInt(i)
	}
	return nil
}

// isDecimal refuses what strconv reads and a person may not: a sign of plus, and a leading zero, which YAML takes for
// octal.
func isDecimal(s string) bool {
	return s == "0" || s != "" && s[0] != '0' && s[0] != '+'
}

func parsePort(s string) (uint16, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || !isDecimal(s) {
		return 0, errors.New("not a port; give a number from 1 to 65535")
	}
	return uint16(port), nil
}
