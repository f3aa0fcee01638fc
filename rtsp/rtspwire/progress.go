package rtspwire

// InMessage reports whether bytes of an item have come that is not whole yet. A caller that bounds how long one message
// may take starts its clock by it; a connection that is quiet between messages may stay so.
func (r *Reader) InMessage() bool {
	return r.pending.active || r.head.kind != lineNone || r.Buffered() > 0
}

// FrameReady reports whether the next Read returns a frame without reading from the source: all of it is there. The
// frames before it stay where they are then.
func (r *Reader) FrameReady() bool {
	if r.dead != nil || r.pending.active || r.head.kind != lineNone {
		return false
	}
	d := r.data()
	return len(d) >= frameHeader && d[0] == '$' && len(d) >= frameHeader+int(d[2])<<8+int(d[3])
}
