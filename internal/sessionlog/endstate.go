package sessionlog

import (
	"fmt"
	"strings"
)

// EndState says who ended a session and in which phase, one letter each, as HAProxy's termination state does. It is
// computed from the typed cause of the end, never guessed from text. The zero value reads "-A".
type EndState struct{ Who, Phase byte }

// Who ended the session: the first letter. A small letter is the time-out of the side that its capital names.
const (
	WhoNobody        byte = '-' // it came to its proper end
	WhoClient        byte = 'C' // the client closed or broke off
	WhoOrigin        byte = 'O' // the origin closed, broke off or refused
	WhoGateway       byte = 'G' // the gateway refused or shut down
	WhoNode          byte = 'N' // the node went down, or none was up
	WhoKilled        byte = 'K' // an operator ended it
	WhoResource      byte = 'R' // a limit or a range of ports was used up
	WhoInternal      byte = 'I' // a fault of the gateway itself
	WhoClientTimeout byte = 'c' // the client was silent for too long
	WhoOriginTimeout byte = 'o' // the origin was silent for too long
)

// The phase in which the session ended: the second letter.
const (
	PhaseAccept   byte = 'A' // accepted, nothing asked for yet
	PhaseDescribe byte = 'D' // asking what there is
	PhaseSetup    byte = 'S' // transports being negotiated
	PhasePlay     byte = 'P' // media runs to the client, or is paused
	PhaseRecord   byte = 'R' // media runs to the origin
	PhaseTeardown byte = 'T' // the end was asked for
)

// whos and phases give each letter its sentence part, in the order of docs/sessionlog.md.
var whos = []letter{
	{WhoNobody, "ended properly"},
	{WhoClient, "ended by the client"},
	{WhoOrigin, "ended by the origin"},
	{WhoGateway, "ended by the gateway"},
	{WhoNode, "ended because its node is down or none is up"},
	{WhoKilled, "killed by an operator"},
	{WhoResource, "ended because a limit was reached"},
	{WhoInternal, "ended by an internal fault"},
	{WhoClientTimeout, "ended because the client was silent"},
	{WhoOriginTimeout, "ended because the origin was silent"},
}

var phases = []letter{
	{PhaseAccept, "after it was accepted"},
	{PhaseDescribe, "while it was described"},
	{PhaseSetup, "while it was set up"},
	{PhasePlay, "while it played"},
	{PhaseRecord, "while it recorded"},
	{PhaseTeardown, "when it was torn down"},
}

type letter struct {
	char byte
	text string
}

func text(table []letter, c byte) string {
	for _, l := range table {
		if l.char == c {
			return l.text
		}
	}
	return ""
}

// filled gives the zero letters their meaning.
func (e EndState) filled() EndState {
	if e.Who == 0 {
		e.Who = WhoNobody
	}
	if e.Phase == 0 {
		e.Phase = PhaseAccept
	}
	return e
}

// Valid tells whether both letters are known.
func (e EndState) Valid() bool {
	e = e.filled()
	return text(whos, e.Who) != "" && text(phases, e.Phase) != ""
}

// String returns the two letters; one that is not known becomes '?'.
func (e EndState) String() string {
	e = e.filled()
	b := []byte{e.Who, e.Phase}
	if text(whos, e.Who) == "" {
		b[0] = '?'
	}
	if text(phases, e.Phase) == "" {
		b[1] = '?'
	}
	return string(b)
}

// Explain returns the end state as words, for a record whose session has no better reason to give.
func (e EndState) Explain() string {
	e = e.filled()
	return strings.TrimSpace(text(whos, e.Who) + " " + text(phases, e.Phase))
}

// MarshalText returns the two letters. It never fails: a record is worth more than a perfect letter in it.
func (e EndState) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads two known letters.
func (e *EndState) UnmarshalText(b []byte) error {
	if len(b) != 2 || !(EndState{b[0], b[1]}).Valid() || b[0] == 0 || b[1] == 0 {
		return fmt.Errorf("sessionlog: end state %q: not two known letters", b)
	}
	e.Who, e.Phase = b[0], b[1]
	return nil
}
