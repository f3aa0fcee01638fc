package transparent

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// How many packets of one reason are logged a second, and how many at once.
const (
	logRate  = 5
	logBurst = 10
)

// snap is how much of a refused packet is copied: both headers with room for options.
const snap = 128

// reasons is how packets without a session are told apart; the first that matches names the reason.
var reasons = []struct {
	name  string
	match func(t *table) []expr.Any
}{
	{ReasonICMP, func(*table) []expr.Any { return protocol(unix.IPPROTO_ICMP) }},
	{ReasonICMP, func(*table) []expr.Any { return protocol(unix.IPPROTO_ICMPV6) }},
	{ReasonTCP, func(*table) []expr.Any { return append(protocol(unix.IPPROTO_TCP), synOnly(expr.CmpOpEq)...) }},
	{ReasonLate, func(*table) []expr.Any { return protocol(unix.IPPROTO_TCP) }},
	{ReasonMedia, func(t *table) []expr.Any { return t.media() }},
	{ReasonUDP, func(*table) []expr.Any { return protocol(unix.IPPROTO_UDP) }},
	{ReasonOther, func(*table) []expr.Any { return nil }},
}

// table is our table while it is made.
type table struct {
	spec  Spec
	conn  *nftables.Conn
	table *nftables.Table
	ports *nftables.Set // of media
}

// build queues everything for one transaction. The marker's name tells which process made it.
func (t *table) build(marker string) error {
	t.table = t.conn.AddTable(&nftables.Table{Name: t.spec.Table, Family: nftables.TableFamilyINet})
	t.conn.AddChain(&nftables.Chain{Name: marker, Table: t.table})
	if err := t.addPorts(); err != nil {
		return err
	}
	home := t.conn.AddChain(&nftables.Chain{Name: "home", Table: t.table})
	t.home(home)
	refuse := t.conn.AddChain(&nftables.Chain{Name: "refuse", Table: t.table})
	t.refuse(refuse)
	origins := t.conn.AddChain(&nftables.Chain{Name: "origins", Table: t.table})
	for _, p := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		t.rule(origins, protocol(p), ours(), verdict(expr.VerdictGoto, home.Name))
	}
	if t.spec.Forwarding != Off {
		t.rule(origins, verdict(expr.VerdictGoto, refuse.Name))
	}
	return t.entry(origins, home)
}

// entry is where packets come in: before routing, and after connection tracking, so that what it says of them is true.
func (t *table) entry(origins, home *nftables.Chain) error {
	accept := nftables.ChainPolicyAccept
	in := t.conn.AddChain(&nftables.Chain{Name: "prerouting", Table: t.table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle, Policy: &accept})
	// What is for this machine, or for all on the link, is no business of ours.
	for _, kind := range []uint32{unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_ANYCAST, unix.RTN_MULTICAST} {
		t.rule(in, []expr.Any{
			&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
			&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: binaryutil.NativeEndian.PutUint32(kind)},
		}, verdict(expr.VerdictReturn, ""))
	}
	// A router on the way says that a packet of ours was too big, or a host that nobody is there: RFC 1191, section 3.
	for _, p := range []byte{unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6} {
		t.rule(in, protocol(p), ours(), verdict(expr.VerdictGoto, home.Name))
	}
	if err := t.fromNodes(in, origins); err != nil {
		return err
	}
	for _, name := range t.spec.Interfaces {
		t.rule(in, []expr.Any{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
			&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: append([]byte(name), make([]byte, max(0, 16-len(name)))...)},
		}, verdict(expr.VerdictGoto, origins.Name))
	}
	return nil
}

// fromNodes leads packets of nodes to a chain.
func (t *table) fromNodes(in, origins *nftables.Chain) error {
	for _, f := range []struct {
		name        string
		proto       byte
		kind        nftables.SetDatatype
		nodes       []netip.Addr
		offset, len uint32
	}{
		{"origins4", unix.NFPROTO_IPV4, nftables.TypeIPAddr, t.spec.of4(), 12, 4},
		{"origins6", unix.NFPROTO_IPV6, nftables.TypeIP6Addr, t.spec.of6(), 8, 16},
	} {
		if len(f.nodes) == 0 {
			continue
		}
		set := &nftables.Set{Table: t.table, Name: f.name, KeyType: f.kind}
		var elements []nftables.SetElement
		for _, a := range f.nodes {
			elements = append(elements, nftables.SetElement{Key: a.AsSlice()})
		}
		if err := t.conn.AddSet(set, elements); err != nil {
			return err
		}
		t.rule(in, family(f.proto), []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.offset, Len: f.len},
			&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
		}, verdict(expr.VerdictGoto, origins.Name))
	}
	return nil
}

// addPorts makes the set of media ports, if there are any.
func (t *table) addPorts() error {
	if len(t.spec.MediaPorts) == 0 {
		return nil
	}
	t.ports = &nftables.Set{Table: t.table, Name: "media_ports", KeyType: nftables.TypeInetService}
	var elements []nftables.SetElement
	sorted := slices.Clone(t.spec.MediaPorts)
	slices.Sort(sorted)
	for _, p := range slices.Compact(sorted) {
		elements = append(elements, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(p)})
	}
	return t.conn.AddSet(t.ports, elements)
}

// home takes a packet that a socket of ours waits for: the mark has it routed to this machine. TPROXY to the address that
// it was sent to makes no difference to where UDP arrives, but to when: the kernel joins fragments for tables that use
// it, and without the first one's ports no socket is found.
func (t *table) home(home *nftables.Chain) {
	t.count("home")
	t.rule(home, mark(t.spec.Mark), counter("home"))
	for _, f := range []struct {
		proto       byte
		nodes       []netip.Addr
		offset, len uint32
	}{
		{unix.NFPROTO_IPV4, t.spec.of4(), 16, 4},
		{unix.NFPROTO_IPV6, t.spec.of6(), 24, 16},
	} {
		if len(f.nodes) == 0 {
			continue
		}
		t.rule(home, family(f.proto), protocol(unix.IPPROTO_UDP), []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.offset, Len: f.len},
			&expr.Payload{DestRegister: 2, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.TProxy{Family: f.proto, TableFamily: unix.NFPROTO_INET, RegAddr: 1, RegPort: 2},
		}, verdict(expr.VerdictAccept, ""))
	}
	t.rule(home, verdict(expr.VerdictAccept, ""))
}

// refuse counts, logs and rejects, reason after reason.
func (t *table) refuse(refuse *nftables.Chain) {
	if t.spec.Forwarding == MediaOnly && t.ports != nil {
		t.rule(refuse, t.media(), verdict(expr.VerdictReturn, ""))
	}
	counted := ""
	for _, r := range reasons {
		match := r.match(t)
		if r.name == ReasonMedia && match == nil {
			continue
		}
		if r.name != counted {
			t.count("refused_" + r.name)
			counted = r.name
		}
		if r.name == ReasonLate {
			// ICMP would not end the connection, and the origin would send again for a quarter of an hour.
			t.rule(refuse, match, counter("refused_"+r.name), []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}})
			continue
		}
		t.rule(refuse, match, limit(), t.nflog(r.name))
		if t.spec.KernelLog {
			t.rule(refuse, match, limit(), t.kernelLog(r.name))
		}
		t.rule(refuse, match, counter("refused_"+r.name), []expr.Any{
			&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}})
	}
}

func (t *table) nflog(reason string) []expr.Any {
	return []expr.Any{&expr.Log{Key: 1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_PREFIX | 1<<unix.NFTA_LOG_SNAPLEN,
		Group: t.spec.LogGroup, Snaplen: snap, Data: []byte(reason)}}
}

func (t *table) kernelLog(reason string) []expr.Any {
	return []expr.Any{&expr.Log{Key: 1<<unix.NFTA_LOG_LEVEL | 1<<unix.NFTA_LOG_PREFIX, Level: expr.LogLevelInfo,
		Data: []byte("mediagate refused " + reason + ": ")}}
}

// media matches UDP from a media port; nil without such ports.
func (t *table) media() []expr.Any {
	if t.ports == nil {
		return nil
	}
	return append(protocol(unix.IPPROTO_UDP),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2},
		&expr.Lookup{SourceRegister: 1, SetName: t.ports.Name, SetID: t.ports.ID})
}

func (t *table) rule(chain *nftables.Chain, parts ...[]expr.Any) {
	t.conn.AddRule(&nftables.Rule{Table: t.table, Chain: chain, Exprs: slices.Concat(parts...)})
}

func (t *table) count(name string) {
	t.conn.AddObj(&nftables.NamedObj{Table: t.table, Name: name, Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}})
}

func counter(name string) []expr.Any {
	return []expr.Any{&expr.Objref{Type: int(nftables.ObjTypeCounter), Name: name}}
}

func limit() []expr.Any {
	return []expr.Any{&expr.Limit{Type: expr.LimitTypePkts, Rate: logRate, Unit: expr.LimitTimeSecond, Burst: logBurst}}
}

func verdict(kind expr.VerdictKind, chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: kind, Chain: chain}}
}

func protocol(number byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{number}}}
}

func family(proto byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{proto}}}
}

// ours matches what a transparent socket waits for. An ICMP error is asked for by the packet within it.
func ours() []expr.Any {
	return []expr.Any{&expr.Socket{Key: expr.SocketKeyTransparent, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{1}}}
}

// synOnly matches TCP by its flags SYN, ACK and RST: SYN alone asks for a connection.
func synOnly(op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{0x16}, Xor: []byte{0}},
		&expr.Cmp{Register: 1, Op: op, Data: []byte{0x02}},
	}
}

func mark(m uint32) []expr.Any {
	value := make([]byte, 4)
	binary.NativeEndian.PutUint32(value, m)
	return []expr.Any{&expr.Immediate{Register: 1, Data: value}, &expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1}}
}
