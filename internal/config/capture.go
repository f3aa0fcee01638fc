package config

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Capture says what is kept of sessions as evidence.
type Capture struct {
	Flight Flight        `yaml:"flight"`
	Dir    string        `yaml:"dir"`   // where the recordings of rules go
	Rules  []CaptureRule `yaml:"rules"` // each that matches a session records it
}

// Values of CaptureRule.Record.
const (
	RecordTrace   = "trace"
	RecordPackets = "packets"
	RecordBoth    = "both"
)

// CaptureRule chooses sessions. A session must match all that the rule names.
type CaptureRule struct {
	Name      string   `yaml:"name"`
	Record    string   `yaml:"record"`     // trace, packets or both
	Client    string   `yaml:"client"`     // an address or a network, as 192.0.2.0/24
	URL       string   `yaml:"url"`        // a pattern with * and ?
	Node      string   `yaml:"node"`       // a node's name
	UserAgent string   `yaml:"user_agent"` // a pattern with * and ?
	Packets   int      `yaml:"packets"`    // how many a capture has at most
	Bytes     Size     `yaml:"bytes"`      // how large it may be
	Duration  Duration `yaml:"duration"`
	Snaplen   Size     `yaml:"snaplen"` // how much of each packet is kept, headers included
}

func defaultCaptureRule() CaptureRule {
	return CaptureRule{Record: RecordBoth, Packets: 1_000_000, Bytes: 1 << 30, Duration: Duration(time.Hour), Snaplen: 256 << 10}
}

// Flight is the flight recorder: the last messages and packets of each session, which are written out if it ends badly.
type Flight struct {
	Memory Size     `yaml:"memory"` // of each session; 0: nothing is kept
	Dir    string   `yaml:"dir"`    // where the files go; "": none are written
	Ends   []string `yaml:"ends"`   // the end states that have a file: both letters, or the first alone; none: BadEnds
	Files  int      `yaml:"files"`  // how many there are; the oldest go first
	Bytes  Size     `yaml:"bytes"`  // how large they are together; the oldest go first
}

// BadEnds are the ends of Flight.Ends if the file names none: what is not the player's own doing, and players that fall
// silent while they are served.
func BadEnds() []string { return []string{"O", "o", "N", "R", "I", "cS", "cP"} }

func defaultCapture() Capture {
	return Capture{Flight: Flight{
		Memory: 64 << 10,
		Files:  1000,
		Bytes:  64 << 20,
	}}
}

// Letters of end states (docs/sessionlog.md).
const (
	endWhos   = "-COGNKRIco"
	endPhases = "ADSPRT"
)

func (k *checker) capture(c Capture) {
	const least, most = 16 << 10, 64 << 10
	f := c.Flight
	if f.Memory != 0 && (f.Memory < least || f.Memory > most) {
		k.say("capture.flight.memory", "not 0B, nor from %s to %s", Size(least), Size(most))
	}
	k.printable("capture.flight.dir", f.Dir)
	for i, e := range f.Ends {
		if len(e) < 1 || len(e) > 2 || !strings.Contains(endWhos, e[:1]) || !strings.Contains(endPhases, e[1:]) {
			k.say("capture.flight.ends["+strconv.Itoa(i)+"]", "not an end state; give its two letters or the first alone, such as \"O\" or \"cP\"")
		}
	}
	k.captureRules(c)
	k.number("capture.flight.files", f.Files, 1, 100_000)
	if f.Bytes < most {
		k.say("capture.flight.bytes", "less than %s, which one file may need; give a larger size", Size(most))
	}
}

func (k *checker) captureRules(c Capture) {
	k.printable("capture.dir", c.Dir)
	if len(c.Rules) > 0 && c.Dir == "" {
		k.say("capture.dir", "is missing; the recordings of capture.rules need a directory")
	}
	names := map[string]string{}
	for i, r := range c.Rules {
		at := "capture.rules[" + strconv.Itoa(i) + "]"
		k.name(at+".name", r.Name, "rule", names)
		k.oneOf(at+".record", r.Record, RecordTrace, RecordPackets, RecordBoth)
		if _, ok := r.Network(); !ok {
			k.say(at+".client", "not an address or a network; give one such as 192.0.2.7 or 192.0.2.0/24")
		}
		k.printable(at+".url", r.URL)
		k.printable(at+".node", r.Node)
		k.printable(at+".user_agent", r.UserAgent)
		k.number(at+".packets", r.Packets, 1, math.MaxInt32)
		k.span(at+".duration", r.Duration, time.Second, 24*time.Hour)
		if r.Bytes < 64<<10 {
			k.say(at+".bytes", "less than 64KiB; give a larger size")
		}
		if r.Snaplen < 64 || r.Snaplen > 256<<10 {
			k.say(at+".snaplen", "not from 64B to 256KiB")
		}
	}
}

// Network is what Client names; the zero Prefix, which is valid here, if it names nothing.
func (r *CaptureRule) Network() (netip.Prefix, bool) {
	if r.Client == "" {
		return netip.Prefix{}, true
	}
	if a, err := netip.ParseAddr(r.Client); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(r.Client)
	return p.Masked(), err == nil
}
