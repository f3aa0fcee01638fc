package sessionlog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cause is one reason why a session ended, or a sign of why: its kind, and the figures that its sentence names. A kind
// takes the figures that its sentence has; the others are left zero.
type Cause struct {
	Kind   Kind
	Node   string        // name of the origin
	For    time.Duration // how long
	Count  uint64        // how many
	Of     uint64        // of how many
	Text   string        // words of the room that saw it, as an error's
	At     time.Duration // where in the content the player was; see Place
	Length time.Duration // of the content, 0 if not known
	Placed bool          // At is known
}

// Kind names a cause; it is what Record.Causes has. The names are part of the record: they are not changed.
type Kind string

// The causes that end a session.
const (
	ShutDown          Kind = "shut-down"
	Killed            Kind = "killed"
	Fault             Kind = "fault"
	HandedOver        Kind = "handed-over"
	LimitReached      Kind = "limit-reached"
	TornDown          Kind = "torn-down"
	FileClosed        Kind = "file-closed"
	StreamOver        Kind = "stream-over"
	PlayerUnreadable  Kind = "player-unreadable"
	PlayerForeign     Kind = "player-foreign"
	PlayerUnfinished  Kind = "player-unfinished"
	PlayerStalled     Kind = "player-stalled"
	PlayerClosed      Kind = "player-closed"
	PlayerLeft        Kind = "player-left"
	PlayerMisbehaved  Kind = "player-misbehaved"
	PlayerSilent      Kind = "player-silent"
	OriginClosed      Kind = "origin-closed"
	OriginUnreadable  Kind = "origin-unreadable"
	OriginUnfinished  Kind = "origin-unfinished"
	OriginStalled     Kind = "origin-stalled"
	OriginUnanswering Kind = "origin-unanswering"
	TeardownFailed    Kind = "teardown-failed"
	Refused           Kind = "refused"
	TunnelRefused     Kind = "tunnel-refused"
)

// The causes that stand behind the end: what was refused before.
const (
	AfterNoNode      Kind = "no-node"
	AfterNoPorts     Kind = "ports-exhausted"
	AfterRefusal     Kind = "after-refusal"
	AfterError       Kind = "after-error"
	AfterNotFound    Kind = "not-found"
	AfterNoPassword  Kind = "no-password"
	AfterBadPassword Kind = "wrong-password"
	AfterStatus      Kind = "origin-refused"
)

// The signs in a session's figures that tell why a player may have gone; see Record.Conclude.
const (
	OriginSilent     Kind = "origin-silent"
	OriginStopped    Kind = "origin-stopped"
	PlayerUnreached  Kind = "player-unreached"
	PlayerICMP       Kind = "icmp"
	Unreachable      Kind = "unreachable"
	NATMapped        Kind = "nat-mapped"
	Stranger         Kind = "stranger"
	LostBeforeHere   Kind = "lost-before-gateway"
	LostBehindHere   Kind = "lost-behind-gateway"
	PlayerNeverHeard Kind = "player-never-heard"
)

// afterRefusal joins a refusal to what ended the session.
const afterRefusal = " after a refusal: "

// sentences has the sentence of each cause, in the order of docs/sessionlog.md; join is what stands before it when it
// follows another. {at} is the place in the content with a blank before it, or nothing.
var sentences = []struct {
	kind       Kind
	join, text string
}{
	{ShutDown, "; ", "the gateway was shut down"},
	{Killed, "; ", "killed by {text}"},
	{Fault, "; ", "a fault of the gateway itself, see its log"},
	{HandedOver, "; ", "the connection went over to session {text}"},
	{LimitReached, "; ", "the limit of connections is reached"},
	{TornDown, "; ", "the player tore the session down{at}"},
	{FileClosed, "; ", "the player closed the file{at}"},
	{StreamOver, "; ", "{text}"},
	{PlayerUnreadable, "; ", "the player sent what cannot be read: {text}"},
	{PlayerForeign, "; ", "the player spoke {text}"},
	{PlayerUnfinished, "; ", "the player did not finish a message in time"},
	{PlayerStalled, "; ", "the player took nothing for {for}{at}"},
	{PlayerClosed, "; ", "the player {text}{at}"},
	{PlayerLeft, "; ", "the player closed its connection without a TEARDOWN, and origin {node} its own {for} later"},
	{PlayerMisbehaved, "; ", "the player {text}"},
	{PlayerSilent, "; ", "{text} {for}"},
	{OriginClosed, "; ", "origin {node} {text}{at}"},
	{OriginUnreadable, "; ", "origin {node} sent what cannot be read: {text}"},
	{OriginUnfinished, "; ", "origin {node} did not finish a message in time"},
	{OriginStalled, "; ", "origin {node} took nothing for {for}"},
	{OriginUnanswering, "; ", "origin {node} does not answer any more (TCP keep-alive)"},
	{TeardownFailed, "; ", "the player's TEARDOWN did not succeed: {text}"},
	{Refused, "; ", "refused: {text}"},
	{TunnelRefused, "; ", "a tunnel was refused: {text}"},

	{AfterNoNode, afterRefusal, "{text}"},
	{AfterNoPorts, afterRefusal, "{text}"},
	{AfterRefusal, afterRefusal, "{text}"},
	{AfterError, " after an error: ", "{text}"},
	{AfterNotFound, " after ", "origin {node} answered {text}: there is nothing of that name"},
	{AfterNoPassword, " after ", "origin {node} answered {text}: it asks for a password, and the player gave none"},
	{AfterBadPassword, " after ", "origin {node} answered {text}: it does not take the player's user name and password"},
	{AfterStatus, " after ", "origin {node} answered {text}"},

	{OriginSilent, "; ", "origin {node} sent nothing for {for} after PLAY"},
	{OriginStopped, "; ", "origin {node} had sent nothing for {for}"},
	{PlayerUnreached, "; ", "the player's reports say that none of {count} packets reached it: UDP towards it is blocked"},
	{PlayerNeverHeard, "; ", "{count} packets went to the player over UDP, and nothing came from it that says it got one"},
	{PlayerICMP, "; ", "the player's host or NAT refused {count} packets (ICMP port unreachable)"},
	{Unreachable, "; ", "{count} packets could not be sent: no route, or ICMP unreachable"},
	{NATMapped, "; ", "{count} packets came from ports that nobody had named: a NAT on the way maps them"},
	{Stranger, "; ", "{count} packets from strangers were refused"},
	{LostBeforeHere, "; ", "{count} of {of} packets were lost between origin {node} and the gateway"},
	{LostBehindHere, "; ", "{count} of {of} packets were lost between the gateway and the player"},
}

// String returns the sentence of the cause, lower case and without a full stop; that of a kind that is not known is its
// Text.
func (c Cause) String() string {
	for _, s := range sentences {
		if s.kind == c.Kind {
			return c.fill(s.text)
		}
	}
	return c.Text
}

func (c Cause) fill(text string) string {
	return strings.NewReplacer("{node}", c.Node, "{for}", roughly(c.For), "{count}", strconv.FormatUint(c.Count, 10),
		"{of}", strconv.FormatUint(c.Of, 10), "{text}", c.Text, "{at}", c.place()).Replace(text)
}

// place is where the player was in the content.
func (c Cause) place() string {
	switch {
	case !c.Placed || c.At < time.Second: // it had not begun
		return ""
	case c.Length > 0:
		return " at " + clock(c.At) + " of " + clock(c.Length)
	}
	return " at " + clock(c.At)
}

// clock writes a place in a content as hours, minutes and seconds.
func clock(d time.Duration) string {
	n := int64(max(d, 0) / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", n/3600, n/60%60, n%60)
}

// roughly leaves out what nobody reads.
func roughly(d time.Duration) string {
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// Explain makes one sentence of causes, the one that ended the session first, and the list of their kinds.
func Explain(causes []Cause) (why string, kinds []Kind) {
	var b strings.Builder
	for i, c := range causes {
		for _, s := range sentences {
			if i > 0 && s.kind == c.Kind {
				b.WriteString(s.join)
			}
		}
		b.WriteString(c.String())
		kinds = append(kinds, c.Kind)
	}
	return b.String(), kinds
}
