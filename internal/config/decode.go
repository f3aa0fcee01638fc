package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// decoder fills a Config from a tree. Unlike the library's own decoder it goes on after a fault and remembers where
// each value stands, so that later checks can name the place too.
type decoder struct {
	file   string
	faults Faults
	places map[string]place // by path
	bad    map[string]bool  // paths whose value could not be read; no check looks at them again
}

// place is where a value stands in the file.
type place struct {
	line, column int
	text         string // of a scalar, as written
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, places: map[string]place{}, bad: map[string]bool{}}
}

// fault notes what is wrong at a node.
func (d *decoder) fault(path string, n ast.Node, what string) {
	p := placeOf(n)
	if p.text == "" {
		p.text = path
	}
	d.bad[path] = true
	d.faults = append(d.faults, Fault{File: d.file, Line: p.line, Column: p.column, Path: path, Text: p.text, What: what})
}

// value reads node n into v. Lists and groups may be empty; a single value may not.
func (d *decoder) value(path string, n ast.Node, v reflect.Value) {
	d.places[path] = placeOf(n)
	if u, ok := v.Addr().Interface().(yaml.NodeUnmarshaler); ok {
		d.scalar(path, n, u.UnmarshalYAML)
		return
	}
	if a, ok := v.Addr().Interface().(*netip.Addr); ok {
		d.scalar(path, n, func(n ast.Node) error { return readAddress(n, a) })
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.group(path, n, v)
	case reflect.Slice:
		d.list(path, n, v)
	default:
		d.scalar(path, n, func(n ast.Node) error { return readPlain(n, v) })
	}
}

func (d *decoder) scalar(path string, n ast.Node, read func(ast.Node) error) {
	if _, isScalar := scalarText(n); !isScalar {
		d.fault(path, n, "one value belongs here, not "+kindOf(n)+"; write it on one line after the key")
		return
	}
	if isNull(n) {
		d.fault(path, n, "the key has no value; give one or remove the key")
		return
	}
	if err := read(n); err != nil {
		d.fault(path, n, err.Error())
	}
}

func (d *decoder) list(path string, n ast.Node, v reflect.Value) {
	if isNull(n) {
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		_, isScalar := scalarText(n)
		if _, leaf := reflect.New(v.Type().Elem()).Interface().(yaml.NodeUnmarshaler); leaf && isScalar {
			elem := reflect.New(v.Type().Elem()).Elem()
			d.value(path+"[0]", n, elem) // one value stands for a list of one
			v.Set(reflect.Append(v, elem))
			return
		}
		d.fault(path, n, "a list belongs here, not "+kindOf(n)+"; begin each entry with \"- \"")
		return
	}
	for i, entry := range seq.Values {
		elem := reflect.New(v.Type().Elem()).Elem()
		setElementDefault(elem)
		at := path + "[" + strconv.Itoa(i) + "]"
		if isNull(entry) {
			d.places[at] = placeOf(entry)
			d.fault(at, entry, "the list has an empty entry; fill or remove it")
		} else {
			d.value(at, entry, elem)
		}
		v.Set(reflect.Append(v, elem))
	}
}

// setElementDefault gives a new list entry the defaults of its kind.
func setElementDefault(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *VirtualServer:
		*p = defaultVirtualServer()
	case *Pool:
		*p = defaultPool()
	case *Node:
		*p = defaultNode()
	case *CaptureRule:
		*p = defaultCaptureRule()
	}
}

func (d *decoder) group(path string, n ast.Node, v reflect.Value) {
	if isNull(n) {
		return
	}
	pairs, ok := mappingPairs(n)
	if !ok {
		d.fault(path, n, "keys belong here, not "+kindOf(n)+"; write \"key: value\" lines")
		return
	}
	fields := fieldsOf(v.Type())
	first := map[string]int{}
	for i, pair := range slices.Backward(pairs) {
		first[keyText(pair)] = i
	}
	for i, pair := range pairs {
		key := keyText(pair)
		at := join(path, key)
		index, known := fields[key]
		switch {
		case first[key] < i:
			line := placeOf(pairs[first[key]].Key).line
			d.fault(at, pair.Key, fmt.Sprintf("the key is there twice, first in line %d; remove one", line))
		case known:
			d.value(at, pair.Value, v.Field(index))
		default:
			meant := d.unknownKey(path, pair.Key, key, fields)
			if _, also := first[meant]; meant != "" && !also {
				first[meant] = i
				d.value(join(path, meant), pair.Value, v.Field(fields[meant]))
			}
		}
	}
}

// unknownKey notes a key that is not known and returns the one that was meant, if it can be told: its value is read as
// if the slip had not been, so that the next run does not bring new faults.
func (d *decoder) unknownKey(path string, n ast.Node, key string, fields map[string]int) (meant string) {
	at := join(path, key)
	if what, ok := laterKeys[pattern(at)]; ok {
		d.fault(at, n, what+" not in this version yet; remove it")
		return ""
	}
	hint, near := nearest(key, fields)
	if near {
		d.fault(at, n, "unknown key; did you mean "+strconv.Quote(hint)+"?")
		return hint
	}
	d.fault(at, n, "unknown key; the keys here are "+hint)
	return ""
}

// fieldsOf maps the keys of a struct to its fields.
func fieldsOf(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		fields[t.Field(i).Tag.Get("yaml")] = i
	}
	return fields
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
