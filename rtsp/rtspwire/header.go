package rtspwire

import (
	"iter"
	"slices"
	"strings"
)

// Header is the ordered list of the fields of one message. Each field keeps its line as it came: spelling, white space
// around the value and order leave unchanged unless that very field is edited. Names are compared without regard to
// case (RFC 2326, section 4.2). The zero Header is empty and ready. A Header is not safe for use by several goroutines;
// Clone shares no state that an edit could change.
type Header struct {
	fields []field
}

// A field is one line without its line end, and where in it the name ends and the value lies.
type field struct {
	raw                    string
	nameEnd, valEnd, start uint32
}

func (f *field) name() string  { return f.raw[:f.nameEnd] }
func (f *field) value() string { return f.raw[f.start:f.valEnd] }

// splitField finds the parts of a line. ok is false when there is no name or no colon, or when the name holds what is
// not visible ASCII: a space there is what request smuggling is made of.
func splitField(line string) (f field, ok bool) {
	c := strings.IndexByte(line, ':')
	if c <= 0 {
		return field{}, false
	}
	for i := range c {
		if line[i] <= ' ' || line[i] >= 0x7f {
			return field{}, false
		}
	}
	start, end := c+1, len(line)
	for start < end && isBlank(line[start]) {
		start++
	}
	for end > start && isBlank(line[end-1]) {
		end--
	}
	return field{raw: line, nameEnd: uint32(c), start: uint32(start), valEnd: uint32(end)}, true
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

// Get returns the value of the first field of that name without the white space around it, "" if there is none.
func (h *Header) Get(name string) string {
	if i := h.index(name, 0); i >= 0 {
		return h.fields[i].value()
	}
	return ""
}

// Has reports whether there is a field of that name, empty or not.
func (h *Header) Has(name string) bool { return h.index(name, 0) >= 0 }

// Values returns the values of all fields of that name in their order.
func (h *Header) Values(name string) []string {
	var v []string
	for i := h.index(name, 0); i >= 0; i = h.index(name, i+1) {
		v = append(v, h.fields[i].value())
	}
	return v
}

// Set gives the first field of that name the value, in its place and in its spelling, and removes the others. Without
// one it appends. A value that is already there leaves the line as it came. CR, LF and NUL in a value become spaces:
// what leaves has no line end that nobody meant.
func (h *Header) Set(name, value string) {
	i := h.index(name, 0)
	if i < 0 {
		h.Add(name, value)
		return
	}
	h.fields[i].edit(value)
	for j := h.index(name, i+1); j >= 0; j = h.index(name, j) {
		h.fields = slices.Delete(h.fields, j, j+1)
	}
}

// Add appends a field. Bytes that may not stand in a name are left out of it; the value is treated as by Set.
func (h *Header) Add(name, value string) {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == ':' {
			return -1
		}
		return r
	}, name)
	if f, ok := splitField(name + ": " + plain(value)); ok {
		h.fields = append(h.fields, f)
	}
}

// Del removes all fields of that name.
func (h *Header) Del(name string) {
	h.fields = slices.DeleteFunc(h.fields, func(f field) bool { return strings.EqualFold(f.name(), name) })
}

// Len returns the number of fields.
func (h *Header) Len() int { return len(h.fields) }

// All yields the names as spelt and the values, in order. The Header must not be changed meanwhile.
func (h *Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range h.fields {
			if !yield(h.fields[i].name(), h.fields[i].value()) {
				return
			}
		}
	}
}

// Edit replaces the value of every field of that name by what f returns for it, each in its place. A value that f
// returns unchanged leaves the line as it came.
func (h *Header) Edit(name string, f func(value string) string) {
	for i := h.index(name, 0); i >= 0; i = h.index(name, i+1) {
		h.fields[i].edit(f(h.fields[i].value()))
	}
}

// Clone returns a Header whose edits do not touch h.
func (h *Header) Clone() Header { return Header{fields: slices.Clone(h.fields)} }

// append writes the fields and the empty line.
func (h *Header) append(b []byte) []byte {
	for i := range h.fields {
		b = append(append(b, h.fields[i].raw...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func (h *Header) index(name string, from int) int {
	for i := from; i < len(h.fields); i++ {
		if strings.EqualFold(h.fields[i].name(), name) {
			return i
		}
	}
	return -1
}

// edit replaces the value and keeps name and white space. The name was checked before, so splitField finds it again.
func (f *field) edit(value string) {
	if value == f.value() {
		return
	}
	lead := f.raw[:f.start]
	if f.start == f.nameEnd+1 && f.value() == "" {
		lead += " " // "Name:" without any value had no white space to keep
	}
	if g, ok := splitField(lead + plain(value) + f.raw[f.valEnd:]); ok {
		*f = g
	}
}

// plain makes each of CR, LF and NUL a space. It goes by bytes: values need not be UTF-8.
func plain(s string) string {
	if !strings.ContainsAny(s, "\r\n\x00") {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if c == '\r' || c == '\n' || c == 0 {
			b[i] = ' '
		}
	}
	return string(b)
}
