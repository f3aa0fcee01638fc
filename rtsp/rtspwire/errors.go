package rtspwire

import (
	"errors"
	"strconv"
)

// ErrTooLarge is what every TooLargeError is, for errors.Is.
var ErrTooLarge = errors.New("rtspwire: too large")

// Kind is what a message was meant as that was refused.
type Kind uint8

// The kinds. A single value, and bytes that are no message at all, have none.
const (
	KindNone Kind = iota
	KindRequest
	KindResponse
)

// SyntaxError says that a message or a value cannot be read, or could be read in two ways.
type SyntaxError struct {
	Offset int64  // bytes of the stream before the message (0 for a single value)
	Field  string // the field or part at fault, "" for the start line
	What   string // what is wrong with it, lower case
	Fatal  bool   // where the next message begins cannot be known: the connection is lost
	CSeq   string // CSeq of the message, digits only, "" if it was not read
	Kind   Kind
}

// Error implements error.
func (e *SyntaxError) Error() string {
	field := e.Field
	if field == "" {
		field = "start line"
	}
	return "rtspwire: read " + strconv.Quote(field) + " at byte " + strconv.FormatInt(e.Offset, 10) + ": " + e.What
}

// TooLargeError says that a limit was passed.
type TooLargeError struct {
	What  string // "line", "field", "header", "fields", "body" or "garbage"
	Limit int    // the limit, in bytes or, for "fields", in fields
	CSeq  string // CSeq of the message, digits only, "" if it was not read
	Fatal bool   // the rest of the message was not read: the connection is lost
	Kind  Kind
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return "rtspwire: read " + e.What + ": over the limit of " + strconv.Itoa(e.Limit)
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }
