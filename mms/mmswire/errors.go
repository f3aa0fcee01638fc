package mmswire

import (
	"errors"
	"strconv"
)

// ErrTooLarge is what every TooLargeError is, for errors.Is.
var ErrTooLarge = errors.New("mmswire: too large")

// SyntaxError says that bytes are not what [MS-MMSP] makes of them. From a Reader it is fatal: where the next packet
// begins cannot be known. From Decode and the Parse functions it concerns one value only.
type SyntaxError struct {
	Object string // what was read: "packet", "data packet", the name of a message, "funnel name", ...
	Offset int64  // for a Reader bytes of the stream before the packet, else bytes (a text: characters) of the value before the fault
	What   string // what is wrong with it, lower case
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return "mmswire: read " + e.Object + " at byte " + strconv.FormatInt(e.Offset, 10) + ": " + e.What
}

// TooLargeError says that a packet with a TcpMessageHeader is over Limits.Message. It is fatal for its Reader, which has
// kept nothing of the packet but its header.
type TooLargeError struct {
	Offset int64 // bytes of the stream before the packet
	Size   int64 // bytes of the packet as it names them, header included
	Limit  int   // Limits.Message
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return "mmswire: read packet at byte " + strconv.FormatInt(e.Offset, 10) + ": " + strconv.FormatInt(e.Size, 10) +
		" bytes are over the limit of " + strconv.Itoa(e.Limit)
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }
