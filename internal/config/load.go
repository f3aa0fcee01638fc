package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Load reads and checks the file at path. The error is a Faults, also when the file cannot be read.
func Load(path string) (*Config, error) {
	data, what := readFile(path)
	if what != "" {
		return nil, Faults{{File: path, What: what}}
	}
	return Parse(path, data)
}

// readFile returns the file's bytes, at most one more than maxFile; what is the fault, if any.
func readFile(path string) (data []byte, what string) {
	const give = "give the path of the configuration file"
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "there is no such file; " + give
	case errors.Is(err, fs.ErrPermission):
		return nil, "this user may not read the file; change its owner or mode"
	case err != nil:
		return nil, fmt.Sprintf("the file cannot be opened (%v); %s", errors.Unwrap(err), give)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, "this is a directory; give the file in it"
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Sprintf("the file cannot be read (%v); %s", errors.Unwrap(err), give)
	}
	return data, ""
}

// Parse reads and checks the bytes of a file; name is what faults call it. The error is a Faults that holds every fault
// of the file.
func Parse(name string, data []byte) (*Config, error) {
	root, faults := readTree(name, data)
	if len(faults) > 0 {
		return nil, faults
	}
	c := Default()
	d := newDecoder(name)
	d.value("", root, reflect.ValueOf(c).Elem())
	for _, p := range check(c, d.bad) {
		d.faults = append(d.faults, d.locate(p))
	}
	if len(d.faults) == 0 {
		return c, nil
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return nil, d.faults
}

// locate turns a problem into a fault. What is missing has the place of what it is missing in.
func (d *decoder) locate(p problem) Fault {
	f := Fault{File: d.file, Path: p.path, Text: p.path, What: p.what}
	for at := p.path; ; at = parent(at) {
		if pl, ok := d.places[at]; ok {
			f.Line, f.Column = pl.line, pl.column
			if at == p.path && pl.text != "" {
				f.Text = pl.text
			}
			return f
		}
		if at == "" {
			return f
		}
	}
}

// parent returns the path of what holds the value: of a.b[1] that is a.b, of a.b it is a.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// Validate checks a configuration that was built by hand. The error is a Faults without places in a file.
func (c *Config) Validate() error {
	var faults Faults
	for _, p := range check(c, nil) {
		faults = append(faults, Fault{Path: p.path, What: p.what})
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

// YAML returns the effective configuration, every default written out. Parse reads it back to the same value.
func (c *Config) YAML() ([]byte, error) {
	var b bytes.Buffer
	err := yaml.NewEncoder(&b, yaml.Indent(2), yaml.IndentSequence(true)).Encode(c)
	if err != nil {
		return nil, fmt.Errorf("config: print: %w", err)
	}
	return b.Bytes(), nil
}
