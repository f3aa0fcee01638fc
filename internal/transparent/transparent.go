package transparent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrUnsupported says that this process or this machine cannot be transparent; the error around it names the missing
// privilege or part of the kernel.
var ErrUnsupported = errors.New("transparent: not possible here")

// ErrConflict says that something of somebody else's is in the way. Install's error wraps it and names each.
var ErrConflict = errors.New("transparent: in conflict with other rules")

// OpError is a failed operation with an address that is not ours.
type OpError struct {
	Op   string // "dial" or "listen"
	Addr netip.AddrPort
	Err  error
}

// Error reads "transparent: dial 192.0.2.7:2000: cause".
func (e *OpError) Error() string { return fmt.Sprintf("transparent: %s %v: %v", e.Op, e.Addr, e.Err) }

// Unwrap is the cause; errors.Is with a syscall.Errno works.
func (e *OpError) Unwrap() error { return e.Err }

// Forwarding says what becomes of packets that origins send through this machine and that belong to no session.
type Forwarding uint8

const (
	// Reject counts, logs and rejects all of them.
	Reject Forwarding = iota
	// MediaOnly leaves UDP from a media port to the kernel, which forwards it or not, and rejects the rest.
	MediaOnly
	// Off leaves all of them to the kernel.
	Off
)

// String is the word of the configuration.
func (f Forwarding) String() string {
	switch f {
	case MediaOnly:
		return "media-only"
	case Off:
		return "off"
	}
	return "reject"
}

// Spec says what Install makes. Each number and name is the operator's choice, because the machine may have others.
type Spec struct {
	// Table is the name of the nftables table of family inet: letters, digits, "_", up to 32.
	Table string
	// Mark is put on packets that come home; not 0.
	Mark uint32
	// RouteTable is the routing table with the local route, and Priority that of the policy rule that leads marked
	// packets to it. Both from 1; not 253 to 255, which are the kernel's.
	RouteTable, Priority int
	// Origins are the nodes whose packets are looked at, at least one. Rules are made for the families that occur.
	Origins []netip.Addr
	// Interfaces are those that lead to the origins' network, by name. What comes in by them is treated as if a node had
	// sent it; none: only what nodes sent.
	Interfaces []string
	// MediaPorts are the ports that origins send media from; they tell apart two reasons of refusal, and what MediaOnly
	// leaves alone.
	MediaPorts []uint16
	Forwarding Forwarding
	// LogGroup is the NFLOG group that refused packets are copied to, a few a second for each reason.
	LogGroup uint16
	// KernelLog also has the kernel write them to its own log, a few a second.
	KernelLog bool
}

// Reasons for which packets are refused; also the order in which Counters gives them.
const (
	ReasonICMP  = "icmp"
	ReasonTCP   = "tcp"   // a new connection
	ReasonLate  = "late"  // TCP to a connection that is no more: reset, never logged
	ReasonMedia = "media" // UDP from a media port, to an address and port without a session
	ReasonUDP   = "udp"
	ReasonOther = "other"
)

// Count is what has been seen for one reason since the table was made.
type Count struct {
	Reason         string
	Packets, Bytes uint64
}

// Refusal is one refused packet, as it is told to Watch.
type Refusal struct {
	Reason    string
	Interface int // the number of the interface it came by
	From, To  netip.AddrPort
	Protocol  uint8 // IANA's number: 6 is TCP, 17 UDP
}

// Conflict is one thing of somebody else's that is in the way.
type Conflict struct {
	// Kind is "table", "priority", "mark", "routes", "drop" or "nat". The first four keep Install from working; the others
	// may or may not concern what comes home and what we send as a client.
	Kind string
	What string // a sentence part that names it
	Mend string // what to do
}

// String is what and how to mend it.
func (c Conflict) String() string { return c.What + ": " + c.Mend }

// fatal tells whether Install must not go on.
func (c Conflict) fatal() bool { return c.Kind != "drop" && c.Kind != "nat" }

// conflictError joins the conflicts that keep Install from working; nil for none.
func conflictError(all []Conflict) error {
	var texts []string
	for _, c := range all {
		if c.fatal() {
			texts = append(texts, c.String())
		}
	}
	if texts == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrConflict, strings.Join(texts, "; "))
}

// check finds what no kernel would take, or would take and misunderstand.
func (s Spec) check() error {
	switch {
	case s.Table == "" || len(s.Table) > 32 || strings.ContainsFunc(s.Table, notName):
		return fmt.Errorf("transparent: install: table name %q: want 1 to 32 letters, digits and _", s.Table)
	case s.Mark == 0:
		return errors.New("transparent: install: mark 0 is no mark")
	case s.RouteTable < 1 || s.RouteTable >= 253 && s.RouteTable <= 255:
		return fmt.Errorf("transparent: install: routing table %d: want one from 1 that is not the kernel's 253 to 255", s.RouteTable)
	case s.Priority < 1 || s.Priority >= 32766:
		return fmt.Errorf("transparent: install: priority %d: want 1 to 32765, before the main table's rule", s.Priority)
	case len(s.Origins) == 0:
		return errors.New("transparent: install: no origins")
	}
	return nil
}

func notName(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// of4 and of6 are the nodes of each family, sorted, each once.
func (s Spec) of4() []netip.Addr { return s.family(netip.Addr.Is4) }
func (s Spec) of6() []netip.Addr { return s.family(netip.Addr.Is6) }

func (s Spec) family(is func(netip.Addr) bool) []netip.Addr {
	var all []netip.Addr
	for _, a := range s.Origins {
		if a = a.Unmap().WithZone(""); is(a) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
