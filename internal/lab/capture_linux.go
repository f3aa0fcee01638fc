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

// Packet is one captured UDP datagram.
type Packet struct {
	From, To netip.AddrPort
	Length   int    // bytes of payload
	Payload  string // in hexadecimal
}

// Capture is a running tshark on one interface of a host.
type Capture struct {
	*Proc
	mu      sync.Mutex
	packets []Packet
}

// StartCapture captures the UDP datagrams of an interface of host (nil: the
// test's own machine) that match the pcap filter. It is capturing when this
// returns.
func StartCapture(t testing.TB, host *Host, link, filter string) *Capture {
	t.Helper()
	c := &Capture{}
	c.Proc = startTshark(t, host, link, filter,
		[]string{"ip.src", "udp.srcport", "ip.dst", "udp.dstport", "udp.length", "udp.payload"}, c.line)
	return c
}

// startTshark runs tshark until it captures; line gets the fields of each
// frame, separated by semicolons, and several values of one field by commas.
func startTshark(t testing.TB, host *Host, link, filter string, fields []string, line func(string)) *Proc {
	t.Helper()
	NeedRoot(t)
	Need(t, "tshark")
	started := make(chan struct{})
	var once sync.Once
	// No -Q: it would hide the line that says the capture has begun.
	args := []string{"-l", "-n", "-i", link, "-f", filter, "-T", "fields", "-E", "separator=;"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	p := Start(t, Command{Path: "tshark", Args: args, Host: host,
		Env:    []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()},
		Stdout: line,
		Stderr: func(line string) {
			// Not "Capturing on", which it writes before it opens the interface.
			if strings.Contains(line, "Capture started") {
				once.Do(func() { close(started) })
			}
		}})
	select {
	case <-started:
	case <-p.Done():
		t.Fatalf("lab: tshark ended\n%s", p.Output())
	case <-time.After(20 * time.Second):
		t.Fatalf("lab: tshark does not begin\n%s", p.Output())
	}
	return p
}

// End stops the capture and gives what it saw.
func (c *Capture) End() []Packet {
	c.Stop(syscall.SIGINT)
	return c.Packets()
}

// Packets gives the datagrams seen so far.
func (c *Capture) Packets() []Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.packets)
}

// line reads one line of fields; fragments and ICMP carry none of UDP's.
func (c *Capture) line(text string) {
	f := strings.Split(text, ";")
	if len(f) < 6 {
		return
	}
	from, err1 := netip.ParseAddrPort(f[0] + ":" + f[1])
	to, err2 := netip.ParseAddrPort(f[2] + ":" + f[3])
	length, err3 := strconv.Atoi(f[4])
	if err1 != nil || err2 != nil || err3 != nil {
		return
	}
	const header = 8 // RFC 768: the length field counts the header
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packets = append(c.packets, Packet{From: from, To: to, Length: length - header, Payload: f[5]})
}
