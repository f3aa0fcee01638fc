// Package asf reads ASF files ("Advanced Systems Format Specification", revision 01.20.03) as far as an origin needs to
// stream them and a player needs to write them: the header's properties and streams, the data packets with their send
// times and key frames, and the removal and restoring of a packet's padding.
//
// It owns nothing: what it returns points into the bytes it was given, unless a function says that it copies.
//
// It must not know where the bytes come from or go to: no net, os, time or context. Times are milliseconds in integers,
// as the format has them. Every length is checked before it is used.
//
// It is tested with the bundled sample, with packets cut at each byte, and by FuzzParse.
package asf
