// Package rtspwire reads and writes RTSP/1.0 as bytes: messages and interleaved frames (RFC 2326, sections 4 to 7 and
// 10.12), Transport lists (12.39), RTP-Info (12.33) and the lines of SDP that carry addresses, each with the changes of
// [MS-RTSP]. Everything leaves as it came, to the order, the spelling and the white space, but for what an edit names.
// There is one exception: what two readers could read differently is written one way, or refused.
//
//	line ends LF, CR, CRCRLF; folded fields          written as CRLF, on one line
//	several spaces in a request line                 written as one
//	a status line that ends after the code           written with the space of section 7.1
//	Content-Length twice and equal, leading zeros    written once, without them
//	Content-Length different, or no decimal number   refused, the connection is lost
//	Transfer-Encoding                                refused, the connection is lost
//	a field name with white space, control or none   refused; lost if it could hide one of the two above
//	NUL in a head; a start line that is meant and malformed   refused; the next message is read
//
// It owns the buffer of a Reader, whose frames are valid until the next Read; messages belong to the caller. Nothing
// has to be closed. Sizes are charged while bytes arrive, see Limits: no length that a peer names is allocated before
// its bytes are there.
//
// It must not know sockets, clocks, logs, sessions, or which status a refusal gets: it takes an io.Reader and returns
// errors as values. It asks no DNS and resolves no URL.
//
// It is tested by tables, by the files of testdata/torture, by cutting at every byte and feeding one byte at a time,
// and by fuzzing with gortsplib and net/url as oracles; a frame read is asserted to allocate nothing.
package rtspwire
