package udprelay

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Pinhole is one open media port.
type Pinhole struct {
	Local netip.AddrPort
	Side  Side // that it faces
	// Carries is rtp or rtcp, mms, or resend: a port where MMS players ask for packets again. The even port of a shared
	// pair, which is rtp, carries MMS too.
	Carries string
	Shared  bool   // by all flows; what is said below of one flow is then empty
	Owner   string // Spec.Owner
	Closed  bool   // the flow has ended and its ports linger
	Opened  time.Time
	Peer    netip.AddrPort // where packets go from here; invalid if that is not known
	// LastSeen is when a valid packet last came from that side, to either port of the pair; zero if none did.
	LastSeen time.Time
	// Refused are the packets that were not passed on, by reason: of the flow, on both of its sides. Of a shared port: those
	// that belonged to no flow, on all shared ports. The map is shared by the ports of a flow and must not be changed.
	Refused map[DropReason]uint64
}

// Pinholes are all media ports that are open now, by address and port. The list is the caller's.
func (r *Relay) Pinholes() []Pinhole {
	r.mu.Lock()
	flows := slices.Collect(maps.Keys(r.flows))
	pairs := slices.Collect(maps.Values(r.pairs))
	asked := maps.Clone(r.asked)
	r.mu.Unlock()
	all := make([]Pinhole, 0, 4*len(flows)+2*len(pairs)+len(asked))
	nobodys := r.drops.counts()
	for _, p := range pairs {
		for k := range kinds {
			all = append(all, Pinhole{Local: p.local.at(k), Carries: k.carries(), Shared: true, Opened: p.opened, Refused: nobodys})
		}
	}
	for at, p := range asked {
		all = append(all, Pinhole{Local: at, Carries: "resend", Shared: true, Opened: p.opened, Refused: nobodys})
	}
	for _, f := range flows {
		all = f.pinholes(all)
	}
	slices.SortFunc(all, func(a, b Pinhole) int {
		return cmp.Or(a.Local.Compare(b.Local), a.Opened.Compare(b.Opened))
	})
	return all
}

// pinholes adds the flow's own ports. Everything that it reads is atomic or never changed after Reserve.
func (f *Flow) pinholes(all []Pinhole) []Pinhole {
	refused := f.drops.counts()
	for side := range sides {
		l := &f.legs[side]
		for k, s := range l.sock {
			if s == nil || s.flow != f {
				continue
			}
			p := Pinhole{Local: f.local[side].at(kind(k)), Side: side, Carries: kind(k).carries(), Owner: f.owner, Closed: !f.open(), Opened: f.opened,
				Peer: l.target(kind(k)), LastSeen: f.LastSeen(side), Refused: refused}
			if f.mms != nil {
				p.Carries = MMS.String()
			}
			all = append(all, p)
		}
	}
	return all
}

// at is the address and port of a kind.
func (p PortPair) at(k kind) netip.AddrPort {
	if k == rtcp {
		return netip.AddrPortFrom(p.Addr, p.RTCP)
	}
	return netip.AddrPortFrom(p.Addr, p.RTP)
}

func (k kind) carries() string {
	if k == rtcp {
		return "rtcp"
	}
	return "rtp"
}
