package decode

import (
	"errors"
	"hash/maphash"
	"io"
	"net/netip"
	"slices"
	"time"
)

// decoder is all that one call of Read remembers.
type decoder struct {
	lim     Limits
	told    string // what the gateway wrote into the file of its session's end
	rep     *Report
	frags   fragments
	conns   map[connKey]*conn
	queue   []queued
	pending int // bytes that wait in all streams
	text    int64
	events  int
	dead    []deadConn // connections to ports of ours that never spoke
	tunnels map[tunnelKey]*rtspTalk
	seed    maphash.Seed

	flows   map[flowKey]*Flow
	all     []*Flow // of UDP, in order
	nextID  int
	wanted  map[netip.AddrPort]*Media   // by the client's address and port
	offered map[netip.AddrPort][]*Media // by the server's

	left    leftOut
	unknown map[uint32]int // link types that are not read, with their packets
	end     time.Time
}

// leftOut counts what limits left out.
type leftOut struct{ connections, conversations, events, flows, findings int }

// Read reads a capture to its end, or as far as it goes. It returns an error, which is ErrFormat or that of r, only
// where nothing can be read at all.
func Read(r io.Reader, lim Limits) (*Report, error) {
	lim.fill()
	src, kind, err := open(r, lim)
	if err != nil {
		return nil, err
	}
	d := &decoder{
		lim: lim, conns: map[connKey]*conn{}, tunnels: map[tunnelKey]*rtspTalk{}, seed: maphash.MakeSeed(),
		flows: map[flowKey]*Flow{}, wanted: map[netip.AddrPort]*Media{}, offered: map[netip.AddrPort][]*Media{},
		unknown: map[uint32]int{}, frags: fragments{limit: lim.Fragments, parts: map[fragmentKey]*pieces{}},
		rep: &Report{Format: Format, File: File{Kind: kind}, Conversations: []*Conversation{}, Strays: []*Flow{}, Findings: []Finding{}},
	}
	counts := make([]int, maxInterfaces)
	for {
		k, err := src.next()
		if err != nil {
			d.rep.File.Cut = why(err)
			break
		}
		counts[k.iface]++
		d.packet(k, src)
	}
	d.rep.File.Interfaces = slices.Clone(src.interfaces())
	for i := range d.rep.File.Interfaces {
		d.rep.File.Interfaces[i].Packets = counts[i]
	}
	if ng, ok := src.(*pcapng); ok && len(ng.names) > 0 {
		d.rep.File.Names = map[string]string{}
		for addr, name := range ng.names {
			d.rep.File.Names[addr.String()] = name
		}
	}
	switch f := src.(type) {
	case *pcapng:
		d.told = f.told
	case *trace:
		d.told = f.told
	}
	d.finish()
	return d.rep, nil
}

// why is the sentence for a file that could not be read to its end, "" for one that was.
func why(err error) string {
	var cut *cutError
	switch {
	case errors.Is(err, io.EOF):
		return ""
	case errors.As(err, &cut):
		return cut.what
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the file ends too early"
	}
	return clean(err.Error(), 200)
}

// packet takes one packet of the file.
func (d *decoder) packet(k packet, src source) {
	f := &d.rep.File
	if f.Packets == 0 {
		f.Start = k.at
		d.end = k.at
	}
	f.Packets++
	f.Bytes += int64(k.full)
	if k.at.After(d.end) {
		d.end = k.at
	}
	b, ifindex, known := network(k.link, k.data)
	if !known {
		d.unknown[k.link&0xffff]++
		return
	}
	p, ok := parseIP(b, k.full-(len(k.data)-len(b)))
	if !ok {
		return
	}
	if p.fragment {
		if p, ok = d.frags.add(p, k.at); !ok {
			return
		}
	}
	iface := ifaceName(src.interfaces(), k.iface, ifindex)
	switch p.proto {
	case protoTCP:
		d.tcp(p, k, iface)
	case protoUDP:
		d.udp(p, k, iface)
	case protoICMP, protoICMP6:
		d.icmp(p)
	}
}

// ifaceName tells interfaces apart where a file has several; "" where it has one.
func ifaceName(all []Interface, i int, ifindex uint32) string {
	switch {
	case ifindex != 0:
		return "interface " + group(uint64(ifindex))
	case len(all) < 2:
		return ""
	case all[i].Name != "":
		return all[i].Name
	}
	return "interface " + group(uint64(i))
}

// report takes a conversation into the report, if there is room.
func (d *decoder) report(c *Conversation) bool {
	if len(d.rep.Conversations) >= d.lim.Conversations {
		d.left.conversations++
		return false
	}
	d.rep.Conversations = append(d.rep.Conversations, c)
	c.ID = len(d.rep.Conversations)
	return true
}

// event adds a line to a conversation, if there is room. It returns its place, -1 without one.
func (d *decoder) event(c *Conversation, e Event) int {
	n := int64(len(e.Line))
	for _, f := range e.Fields {
		n += int64(len(f.Name) + len(f.Value))
	}
	if d.events >= d.lim.Events || d.text+n > d.lim.Text {
		d.left.events++
		return -1
	}
	d.events++
	d.text += n
	c.Events = append(c.Events, e)
	return len(c.Events) - 1
}

// message adds what a side said; media that follows is a new run.
func (d *decoder) message(c *Conversation, side int, kind, line string, fields []Field, at time.Time) {
	c.runs = [2]*run{}
	d.event(c, Event{Time: at, From: sideName(side), Kind: kind, Line: line, Fields: fields})
}

func (d *decoder) missing(c *Conversation, side, n int, at time.Time) {
	d.message(c, side, "gap", plural(n, "byte")+" missing in the capture", nil, at)
}

func sideName(side int) string {
	if side == client {
		return "client"
	}
	return "server"
}

// run is a row of media packets that goes on.
type run struct {
	at    int // place of its event, -1 if there was no room for it
	begin time.Time
	lost  int64 // before it
}

// media counts a packet of media within a connection into the run of its side.
func (d *decoder) media(c *Conversation, side, n int, lost int64, at time.Time) {
	r := c.runs[side]
	if r == nil {
		r = &run{begin: at, lost: lost}
		r.at = d.event(c, Event{Time: at, From: sideName(side), Kind: "run", Run: &Run{}})
		c.runs[side] = r
	}
	if r.at < 0 {
		return
	}
	e := c.Events[r.at].Run
	e.Packets++
	e.Bytes += uint64(n)
	e.Lost = max(0, lost-r.lost)
	e.Duration = Seconds(at.Sub(r.begin))
}
