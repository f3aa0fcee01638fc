package config

import (
	"strconv"
	"time"
)

// number checks a count against its range.
func (k *checker) number(path string, got, lo, hi int) {
	if got < lo || got > hi {
		k.say(path, "out of range; give a number from %d to %d", lo, hi)
	}
}

func (k *checker) size(path string, got, lo, hi Size) {
	if got < lo || got > hi {
		k.say(path, "out of range; give a size from %s to %s", lo, hi)
	}
}

func (k *checker) span(path string, got Duration, lo, hi time.Duration) {
	if time.Duration(got) < lo || time.Duration(got) > hi {
		k.say(path, "out of range; give a time from %s to %s", Duration(lo), Duration(hi))
	}
}

func (k *checker) relay(c *Config) {
	r := c.Relay
	const client, origin = "relay.client_media.ports", "relay.origin_media.ports"
	okClient, okOrigin := k.portRange(client, r.ClientMedia.Ports), k.portRange(origin, r.OriginMedia.Ports)
	if okClient && okOrigin && r.ClientMedia.Ports.Overlaps(r.OriginMedia.Ports) {
		k.say(origin, "overlaps with %s %s; move one of them", client, r.ClientMedia.Ports)
	}
	if okClient {
		k.resendPorts(client, r.ClientMedia.Ports, c.VirtualServers)
	}
	if okOrigin {
		k.resendPorts(origin, r.OriginMedia.Ports, c.VirtualServers)
	}
	k.oneOf("relay.client_media.latch", r.ClientMedia.Latch, LatchOff, LatchSameAddress)
	k.oneOf("relay.origin_media.latch", r.OriginMedia.Latch, LatchOff, LatchSameAddress)
	k.span("relay.linger", r.Linger, 10*time.Millisecond, 5*time.Minute)
	k.engine(r)
}

// engine checks how datagrams are moved, and what the kernel is asked for.
func (k *checker) engine(r Relay) {
	const ki, mi = 1 << 10, 1 << 20
	k.size("relay.receive_buffer", r.ReceiveBuffer, 4*ki, 64*mi)
	k.size("relay.send_buffer", r.SendBuffer, 4*ki, 64*mi)
	k.oneOf("relay.engine", r.Engine, "auto", "plain", "fast")
	k.number("relay.loops", r.Loops, 0, 64)
	k.oneOf("relay.steer", r.Steer, SteerAuto, SteerOff)
	k.interfaces(r)
	if r.DSCP < DSCPKeep || r.DSCP > maxDSCP {
		k.say("relay.dscp", "out of range; give a number from 0 to %d, or keep", maxDSCP)
	}
	k.number("relay.overload.busy", r.Overload.Busy, 0, 100)
	k.number("relay.overload.drops", r.Overload.Drops, 0, 1000000)
}

// interfaces checks relay.xdp: names as Linux has them, and what it needs.
func (k *checker) interfaces(r Relay) {
	seen := map[string]bool{}
	for i, name := range r.XDP {
		at := "relay.xdp[" + strconv.Itoa(i) + "]"
		switch {
		case !isInterface(name):
			k.say(at, "no name of a network interface; give one such as eth0")
		case seen[name]:
			k.say(at, "%s is there twice; leave one of them out", name)
		}
		seen[name] = true
	}
	switch {
	case len(r.XDP) == 0:
	case r.Engine == "plain":
		k.say("relay.xdp", "is a part of the engine fast; leave it out, or set relay.engine to auto or fast")
	case r.Steer == SteerOff:
		k.say("relay.xdp", "needs relay.steer; leave it out, or set relay.steer to auto")
	}
}

// resendPorts refuses a range of media ports that holds the port of an MMS listener: players ask for lost packets there,
// over UDP ([MS-MMSP] 1.9).
func (k *checker) resendPorts(path string, r PortRange, servers []VirtualServer) {
	for i, vs := range servers {
		if vs.Protocol != ProtocolMMS || !vs.UDP {
			continue
		}
		for j, l := range vs.Listen {
			at := "virtual_servers[" + strconv.Itoa(i) + "].listen[" + strconv.Itoa(j) + "]"
			if k.readable(at) && r.Lo <= l.Port && l.Port <= r.Hi {
				k.say(path, "holds port %d, on which %s takes MMS players' UDP requests; move one of them", l.Port, at)
				return
			}
		}
	}
}

// portRange checks one range of media ports.
// RFC 3550, section 11: RTP takes an even port and RTCP the odd one above it.
func (k *checker) portRange(path string, r PortRange) bool {
	switch {
	case !k.readable(path):
		return false
	case r.Lo == 0 || r.Hi == 0:
		k.say(path, "port 0 cannot carry media; give numbers from 1 to 65535")
	case r.Lo > r.Hi:
		k.say(path, "the range is reversed; write it as %s", PortRange{r.Hi, r.Lo})
	case r.Pairs() > 0:
		return true
	case r.Lo == r.Hi:
		k.say(path, "too few ports; a pair needs an even port and the odd one above it, such as %s", pairAt(r.Lo))
	default:
		k.say(path, "no pair in it; a pair begins with an even port, such as %s", pairAt(r.Lo))
	}
	return false
}

// pairAt returns the pair that a port belongs to.
func pairAt(port uint16) PortRange { return PortRange{port &^ 1, port | 1} }

func (k *checker) limits(l Limits) {
	const ki, mi = 1 << 10, 1 << 20
	k.size("limits.line", l.Line, 512, mi)
	k.size("limits.field", l.Field, 512, mi)
	k.size("limits.header", l.Header, ki, 16*mi)
	k.number("limits.fields", l.Fields, 16, 10000)
	k.size("limits.body", l.Body, 4*ki, 64*mi)
	k.size("limits.garbage", l.Garbage, 1, 16*mi)
	k.number("limits.connections", l.Connections, 1, 1000000)
	k.number("limits.pipeline", l.Pipeline, 1, 1024)
	k.number("limits.syntax_errors", l.SyntaxErrors, 1, 100)
	k.size("limits.mms_message", l.MMSMessage, 4*ki, mi)
	if l.Field > l.Header && k.readable("limits.header") {
		k.say("limits.field", "one field of %s would not fit into a header of %s; lower field or raise header", l.Field, l.Header)
	}
}

func (k *checker) timeouts(t Timeouts) {
	const shortest = 100 * time.Millisecond
	k.span("timeouts.first_request", t.FirstRequest, shortest, 10*time.Minute)
	k.span("timeouts.message", t.Message, shortest, 10*time.Minute)
	k.span("timeouts.connect", t.Connect, shortest, time.Minute)
	k.span("timeouts.response", t.Response, shortest, 10*time.Minute)
	k.span("timeouts.write", t.Write, shortest, 10*time.Minute)
	k.span("timeouts.idle", t.Idle, time.Second, 24*time.Hour)
	k.span("timeouts.drain", t.Drain, 0, 24*time.Hour)
}
