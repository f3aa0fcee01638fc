package lab

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Dissected is what Wireshark's dissector for MMS (packet-ms-mms.c, written
// from captures of Microsoft's programs) says of one captured frame.
type Dissected struct {
	Time     time.Duration // since the capture began
	From, To netip.AddrPort
	UDP      bool
	Stream   string // names the TCP connection

	Commands  []uint16 // low halves of the MIDs of its commands, of one direction
	ToServer  bool     // the direction of Commands
	Data      int      // Data packets that end in it
	Resend    int      // Data packets that it asks for again
	Malformed bool
}

// dissectFields are the columns of Dissected in tshark's words.
const dissectFields = "frame.time_relative ip.src ip.dst tcp.srcport tcp.dstport udp.srcport udp.dstport tcp.stream " +
	"msmms.command.to-server-id msmms.command.to-client-id msmms.data.packet-length msmms.data.packet-to-resend _ws.malformed"

// Dissection is a running tshark that takes packets apart.
type Dissection struct {
	*Proc
	t      testing.TB
	mu     sync.Mutex
	frames []Dissected
}

// StartDissection captures the frames of an interface of host (nil: the test's
// own machine) that match the pcap filter. It is capturing when this returns.
// The dissector takes TCP and UDP port 1755 for MMS, and the UDP port of a
// funnel name.
func StartDissection(t testing.TB, host *Host, link, filter string) *Dissection {
	t.Helper()
	d := &Dissection{t: t}
	d.Proc = startTshark(t, host, link, filter, strings.Fields(dissectFields), d.line)
	return d
}

// End stops the capture.
func (d *Dissection) End() { d.Stop(syscall.SIGINT) }

// Frames gives the frames seen so far.
func (d *Dissection) Frames() []Dissected {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.frames)
}

// Wait waits until done says true of the frames seen so far: tshark is late.
func (d *Dissection) Wait(within time.Duration, what string, done func([]Dissected) bool) {
	d.t.Helper()
	if !Eventually(within, func() bool { return done(d.Frames()) }) {
		d.t.Errorf("lab: tshark did not see %s in %d frames", what, len(d.Frames()))
	}
}

// line reads one line of fields.
func (d *Dissection) line(text string) {
	f := strings.Split(text, ";")
	if len(f) != len(strings.Fields(dissectFields)) {
		return // what a program says besides
	}
	seconds, _ := strconv.ParseFloat(f[0], 64)
	frame := Dissected{
		Time: time.Duration(seconds * float64(time.Second)), UDP: f[5] != "", Stream: f[7],
		ToServer: f[8] != "", Data: count(f[10]), Resend: count(f[11]), Malformed: f[12] != "",
	}
	frame.From, _ = netip.ParseAddrPort(f[1] + ":" + f[3] + f[5])
	frame.To, _ = netip.ParseAddrPort(f[2] + ":" + f[4] + f[6])
	for _, id := range strings.FieldsFunc(f[8]+f[9], func(r rune) bool { return r == ',' }) {
		n, _ := strconv.ParseUint(id, 0, 16)
		frame.Commands = append(frame.Commands, uint16(n))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frames = append(d.frames, frame)
}

// count counts the values of a field that a frame may have several times.
func count(values string) int {
	if values == "" {
		return 0
	}
	return strings.Count(values, ",") + 1
}
