// Package capture keeps the evidence of sessions: a flight recorder that is always on, traces of control messages, and
// captures of both legs.
//
// It is given what a session received and sent, and owns the files that it writes; a Book has them all, and its Close
// ends them. A Session and its parts may be nil: every method does nothing then, so that the protocols need not ask.
//
// It knows no protocol but the headers of RTP and what is secret in a text message. Nothing here makes a packet wait:
// what a queue has no room for is dropped and counted. No lock is shared between flows.
//
// Its tests use no network; the end to end tests read its files with tshark.
package capture
