package config

import (
	"errors"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// DSCP is the class of a media packet (RFC 2474, section 3) as the file writes it: a number from 0 to 63, or "keep".
type DSCP int

// DSCPKeep is the class that the packet came with.
const DSCPKeep DSCP = -1

const (
	maxDSCP  = 63 // six bits
	keepDSCP = "keep"
)

var _ yaml.NodeUnmarshaler = (*DSCP)(nil)

// String returns the form that the file has.
func (d DSCP) String() string {
	if d == DSCPKeep {
		return keepDSCP
	}
	return strconv.Itoa(int(d))
}

// UnmarshalYAML reads "keep" or a number.
func (d *DSCP) UnmarshalYAML(n ast.Node) error {
	text, _ := scalarText(n)
	if text == keepDSCP {
		*d = DSCPKeep
		return nil
	}
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil || !isDecimal(text) || v > maxDSCP {
		return errors.New("not a DSCP; give a number from 0 to 63, such as 46 (EF) or 34 (AF41), or keep for that of the packet that came")
	}
	*d = DSCP(v)
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (d DSCP) MarshalYAML() (any, error) {
	if d == DSCPKeep {
		return keepDSCP, nil
	}
	return int(d), nil
}
