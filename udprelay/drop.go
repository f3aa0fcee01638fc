package udprelay

import (
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
)

// DropReason says why a datagram was not passed on. The names that String gives are part of the session record and of
// the metrics: they are not changed.
type DropReason uint8

// The reasons, in the order in which a datagram meets them.
const (
	// DropNone is the answer for a datagram that is passed on; it is never counted.
	DropNone DropReason = iota
	// DropReadError counts failed reads of a socket, each followed by a pause.
	DropReadError
	// DropTooLong is a datagram that did not fit the receive buffer, or one that the way out cannot carry whole.
	DropTooLong
	// DropCorrupt came by AF_XDP with a length or a checksum that is wrong. (What the kernel's own stack finds it drops unseen.)
	DropCorrupt
	// DropUnknownSource came from an address that no flow of this socket talks to.
	DropUnknownSource
	// DropAmbiguous came to the shared pair from an address with several flows that it could belong to.
	DropAmbiguous
	// DropClosed came for a flow that is closed and lingers.
	DropClosed
	// DropNotConnected came before one of the two sides was known.
	DropNotConnected
	// DropWrongPort came from the right address and a port that is neither negotiated nor may be learned.
	DropWrongPort
	// DropNotRTP is neither RTP nor RTCP.
	DropNotRTP
	// DropNotMMS came for a flow of MMS, or to a resend port, and is not what that side sends there.
	DropNotMMS
	// DropWrongID is a resend request with a client ID that no flow of its sender has.
	DropWrongID
	// DropResendFlood is a resend request too many in too short a time.
	DropResendFlood
	// DropWriteRefused: the receiver's host answered that nobody listens on that port.
	DropWriteRefused
	// DropUnreachable: the receiver's host or network cannot be reached.
	DropUnreachable
	// DropQueueFull: the kernel had no room to send.
	DropQueueFull
	// DropWriteError is any other failure to send.
	DropWriteError

	dropReasons // how many there are
)

var dropNames = [dropReasons]string{
	DropNone:          "none",
	DropReadError:     "read-error",
	DropTooLong:       "too-long",
	DropCorrupt:       "corrupt",
	DropUnknownSource: "unknown-source",
	DropAmbiguous:     "ambiguous",
	DropClosed:        "closed",
	DropNotConnected:  "not-connected",
	DropWrongPort:     "wrong-port",
	DropNotRTP:        "not-rtp",
	DropNotMMS:        "not-mms",
	DropWrongID:       "wrong-id",
	DropResendFlood:   "resend-flood",
	DropWriteRefused:  "write-refused",
	DropUnreachable:   "unreachable",
	DropQueueFull:     "queue-full",
	DropWriteError:    "write-error",
}

// String is the name of the reason in records and metrics: lower case, words joined by hyphens.
func (r DropReason) String() string {
	if r >= dropReasons {
		return "reason-" + strconv.Itoa(int(r))
	}
	return dropNames[r]
}

// tally counts by reason. Any goroutine may add and read.
type tally [dropReasons]atomic.Uint64

func (t *tally) add(r DropReason) { t[r].Add(1) }

// counts has the reasons that occurred.
func (t *tally) counts() map[DropReason]uint64 {
	m := make(map[DropReason]uint64)
	for r := range t {
		if n := t[r].Load(); n > 0 {
			m[DropReason(r)] = n
		}
	}
	return m
}

// writeReason names a failure to send.
func writeReason(err error) DropReason {
	switch {
	case errors.Is(err, net.ErrClosed):
		return DropClosed
	case errors.Is(err, syscall.ECONNREFUSED):
		return DropWriteRefused
	case errors.Is(err, syscall.EMSGSIZE):
		return DropTooLong
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.EAGAIN):
		return DropQueueFull
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN):
		return DropUnreachable
	}
	return DropWriteError
}
