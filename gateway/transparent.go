package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
	"mediagate/internal/transparent"
	"mediagate/udprelay"
)

// transparency is what the pools need that are transparent. A nil one is that of a configuration without such a pool, and
// does nothing.
type transparency struct {
	nodes map[netip.Addr]bool
	spec  transparent.Spec
	log   *zap.Logger
	links []netip.Prefix // networks of this machine; set by start

	mu    sync.Mutex // guards what follows
	rules *transparent.Rules
	watch *transparent.Watcher // nil: refused packets are only counted
}

// TransparentSpec is what a configuration asks of the machine's network; without origins if no pool is transparent.
func TransparentSpec(c *config.Config) transparent.Spec {
	t := c.Transparent
	s := transparent.Spec{
		Table: t.Table, Mark: uint32(t.Mark), RouteTable: t.RouteTable, Priority: t.Priority, Origins: c.TransparentNodes(),
		Interfaces: t.Interfaces, LogGroup: uint16(t.LogGroup), KernelLog: t.KernelLog,
	}
	for port := int(t.MediaPorts.Lo); port <= int(t.MediaPorts.Hi); port++ {
		s.MediaPorts = append(s.MediaPorts, uint16(port))
	}
	switch t.Forwarding {
	case config.ForwardingMediaOnly:
		s.Forwarding = transparent.MediaOnly
	case config.ForwardingOff:
		s.Forwarding = transparent.Off
	}
	return s
}

func newTransparency(c *config.Config, log *zap.Logger) *transparency {
	spec := TransparentSpec(c)
	if len(spec.Origins) == 0 {
		return nil
	}
	t := &transparency{nodes: make(map[netip.Addr]bool), spec: spec, log: log.Named("transparent")}
	for _, a := range spec.Origins {
		t.nodes[a] = true
	}
	return t
}

// asker tells the protocols which nodes see clients' addresses; nil for none.
func (t *transparency) asker() func(netip.Addr) bool {
	if t == nil {
		return nil
	}
	return func(node netip.Addr) bool { return t.nodes[node.Unmap()] }
}

// listener binds the relay's sockets; nil leaves them to the relay. A socket that may have another's address serves as well
// for our own.
func (t *transparency) listener() udprelay.ListenFunc {
	if t == nil {
		return nil
	}
	return func(at netip.AddrPort) (udprelay.Conn, error) {
		c, err := transparent.ListenUDP(at)
		if err != nil {
			return nil, err
		}
		return boundConn{c, at}, nil
	}
}

// boundConn is a udprelay.Conn.
type boundConn struct {
	*net.UDPConn
	local netip.AddrPort
}

// LocalAddrPort is the address that the socket is bound to.
func (c boundConn) LocalAddrPort() netip.AddrPort { return c.local }

// start makes the rules. What is missing for them is an error, since the origins' media would not arrive; what is missing
// to hear of refused packets is not, they are counted all the same.
func (t *transparency) start() error {
	if t == nil {
		return nil
	}
	rules, err := transparent.Install(t.spec)
	if err != nil {
		return err
	}
	t.rules, t.links = rules, linksOf()
	t.warn(rules.Check())
	if t.spec.Forwarding == transparent.Off {
		return nil
	}
	if t.watch, err = transparent.Watch(t.spec.LogGroup, t.refused); err != nil {
		t.log.Warn("refused packets are counted, but not logged one by one", zap.Error(err))
	}
	return nil
}

// stop takes the rules away.
func (t *transparency) stop() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.rules.Remove()
	if t.watch != nil {
		err = errors.Join(err, t.watch.Close())
	}
	if err != nil {
		t.log.Error("rules cannot be taken away", zap.Error(err))
	}
}

// refused logs one packet; the kernel tells a few a second of each reason.
func (t *transparency) refused(r transparent.Refusal) {
	name := ""
	if i, err := net.InterfaceByIndex(r.Interface); err == nil {
		name = i.Name
	}
	t.log.Info("packet refused", zap.String("reason", r.Reason), zap.Stringer("from", r.From), zap.Stringer("to", r.To),
		zap.Uint8("protocol", r.Protocol), zap.String("interface", name))
}

// rulesEvery is how often the rules are looked at: a firewall that is loaded anew takes them away with everything else.
const rulesEvery = 10 * time.Second

// run puts the rules back when somebody has taken them away, and tells once a minute what was refused, until ctx ends.
func (t *transparency) run(ctx context.Context) {
	if t == nil {
		return
	}
	tick := time.NewTicker(rulesEvery)
	defer tick.Stop()
	before, told := t.counters(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			t.restore()
			if now.Sub(told) >= dropsEvery {
				before, told = t.tell(before), now
			}
		}
	}
}

// restore makes the rules again if some are missing.
func (t *transparency) restore() {
	missing, err := transparent.Missing(t.spec)
	if err != nil {
		t.log.Warn("rules cannot be looked at", zap.Error(err))
		return
	}
	if len(missing) == 0 {
		return
	}
	rules, err := transparent.Install(t.spec)
	if err != nil {
		t.log.Error("rules were taken away and cannot be put back", zap.Stringer("missing", missing[0]), zap.Error(err))
		return
	}
	t.mu.Lock()
	t.rules = rules
	t.mu.Unlock()
	t.log.Warn("rules were taken away; they are back", zap.Stringer("missing", missing[0]))
}

// warn tells what may be in the way.
func (t *transparency) warn(found []transparent.Conflict, err error) {
	if err != nil {
		t.log.Warn("rules cannot be checked", zap.Error(err))
	}
	for _, c := range found {
		t.log.Warn("another rule may be in the way", zap.Stringer("rule", c))
	}
}

// counters are what has been refused by reason.
func (t *transparency) counters() map[string]uint64 {
	all, err := transparent.Counters(t.spec.Table)
	if err != nil {
		return nil // restore tells it
	}
	got := make(map[string]uint64, len(all))
	for _, c := range all {
		if c.Reason != "home" {
			got[c.Reason] = c.Packets
		}
	}
	return got
}

// tell logs what was refused since then, if anything.
func (t *transparency) tell(before map[string]uint64) map[string]uint64 {
	now := t.counters()
	var fields []zap.Field
	for reason, n := range now {
		if n < before[reason] {
			before[reason] = 0 // the table was made again
		}
		if n > before[reason] {
			fields = append(fields, zap.Uint64(reason, n-before[reason]))
		}
	}
	if len(fields) > 0 {
		t.log.Warn("packets that belong to no session were refused", fields...)
	}
	return now
}
