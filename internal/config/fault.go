package config

import (
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	File   string // as it was named to Load or Parse; "" for a Config that came from no file
	Line   int    // from 1; 0 if the fault has no place in the file
	Column int    // from 1; 0 if the fault has no place in the line
	Path   string // the key from the top, such as pools[0].nodes[1].address
	Text   string // the offending text as written; "" if nothing is there
	What   string // what is wrong and what to do, one sentence
}

// String returns "file:line:col: offending text: what is wrong and what to do".
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.place())
	if f.Text != "" {
		b.WriteString(strconv.Quote(f.Text))
		b.WriteString(": ")
	}
	b.WriteString(f.What)
	return b.String()
}

func (f Fault) place() string {
	where := f.File
	if where == "" {
		where = "config"
	}
	if f.Line > 0 {
		where += ":" + strconv.Itoa(f.Line)
		if f.Column > 0 {
			where += ":" + strconv.Itoa(f.Column)
		}
		return where + ": "
	}
	if f.Path != "" {
		where += ": " + f.Path
	}
	return where + ": "
}

// Faults is every fault of one configuration, in the order of the file. It is the error that Load, Parse, ForOrigin and
// Validate return.
type Faults []Fault

// Error returns one line for each fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}
