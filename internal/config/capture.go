package config

import (
	"strconv"
	"strings"
)

// Capture says what is kept of sessions as evidence.
type Capture struct {
	Flight Flight `yaml:"flight"`
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
	k.number("capture.flight.files", f.Files, 1, 100_000)
	if f.Bytes < most {
		k.say("capture.flight.bytes", "less than %s, which one file may need; give a larger size", Size(most))
	}
}
