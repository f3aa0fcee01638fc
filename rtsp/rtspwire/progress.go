package rtspwire

// InMessage reports whether bytes of an item have come that is not whole yet. A caller that bounds how long one message
// may take starts its clock by it; a connection that is quiet between messages may stay so.
func (r *Reader) InMessage() bool {
	return r.pending.active || r.head.kind != lineNone || r.Buffered() > 0
}
