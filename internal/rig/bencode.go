//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// errBencode: what was to be read is no bencode.
var errBencode = errors.New("rig: read bencode: malformed")

// bencode writes strings, lists of strings and dictionaries of both, which is all that rtpengine's control protocol
// wants (BitTorrent's BEP 3).
func bencode(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(strconv.AppendInt(b, int64(len(v)), 10), ":"+v...)
	case []string:
		b = append(b, 'l')
		for _, s := range v {
			b = bencode(b, s)
		}
	case map[string]any:
		b = append(b, 'd')
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			b = bencode(bencode(b, k), v[k])
		}
	}
	return append(b, 'e')
}

// bdepth bounds how deep values may lie in each other.
const bdepth = 16

// bdecode reads one value, and returns what is left: string, int64, []any or map[string]any.
func bdecode(b []byte, depth int) (v any, rest []byte, err error) {
	switch {
	case len(b) == 0 || depth > bdepth:
		return nil, nil, errBencode
	case b[0] == 'i':
		end := bytes.IndexByte(b, 'e')
		if end < 0 {
			return nil, nil, errBencode
		}
		n, err := strconv.ParseInt(string(b[1:end]), 10, 64)
		if err != nil {
			return nil, nil, errBencode
		}
		return n, b[end+1:], nil
	case b[0] == 'l':
		return bdecodeList(b[1:], depth)
	case b[0] == 'd':
		return bdecodeDict(b[1:], depth)
	}
	return bdecodeString(b)
}

func bdecodeString(b []byte) (any, []byte, error) {
	colon := bytes.IndexByte(b[:min(len(b), 8)], ':')
	if colon < 0 {
		return nil, nil, errBencode
	}
	n, err := strconv.ParseUint(string(b[:colon]), 10, 31)
	if err != nil || int(n) > len(b)-colon-1 {
		return nil, nil, errBencode
	}
	b = b[colon+1:]
	return string(b[:n]), b[n:], nil
}

func bdecodeList(b []byte, depth int) (any, []byte, error) {
	list := []any{}
	for len(b) > 0 && b[0] != 'e' {
		v, rest, err := bdecode(b, depth+1)
		if err != nil {
			return nil, nil, err
		}
		list, b = append(list, v), rest
	}
	if len(b) == 0 {
		return nil, nil, errBencode
	}
	return list, b[1:], nil
}

func bdecodeDict(b []byte, depth int) (any, []byte, error) {
	list, rest, err := bdecodeList(b, depth)
	if err != nil {
		return nil, nil, err
	}
	pairs, dict := list.([]any), map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, nil, errBencode
		}
		dict[key] = pairs[i+1]
	}
	if len(pairs)%2 != 0 {
		return nil, nil, fmt.Errorf("%w: a key without a value", errBencode)
	}
	return dict, rest, nil
}
