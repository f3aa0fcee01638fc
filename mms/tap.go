package mms

import (
	"time"

	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// see shows a message that was read to those who keep it, in a packet of its own.
func (p *peer) see(m mmswire.Raw, in *mmswire.Packet) {
	if p.tap != nil {
		p.tap.Received(mmswire.AppendPacket(nil, in.Seq, in.TimeSent, masked(m)))
	}
}

// see shows a message that is about to be written.
func (w *writer) see(m mmswire.Raw, sent uint64) {
	if w.tap != nil {
		w.tap.Sent(mmswire.AppendPacket(nil, w.seq, sent, masked(m)))
	}
}

// masked is a message without credentials: challenge and response are NTLM's ([MS-MMSP] 2.2.4.30 and 2.2.4.31).
func masked(m mmswire.Raw) mmswire.Raw {
	if m.MID == mmswire.MIDSecurityResponse || m.MID == mmswire.MIDSecurityChallenge {
		m.Body = make([]byte, len(m.Body))
	}
	return m
}

// mediaTap is who is shown the datagrams of a flow; nil: nobody.
func (s *session) mediaTap() udprelay.Tap {
	if m := s.tap.Media(); m != nil {
		return m
	}
	return nil
}

// dataSeen shows a Data packet of the control connection.
func (p *peer) dataSeen(b []byte, why string) {
	p.tap.Frame(time.Now(), b, why)
}
