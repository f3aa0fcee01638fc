package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span as the file writes it: "5s", "1m30s", "250ms".
type Duration time.Duration

// String returns the shortest form that reads back to the same value, such as "5s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Size is a number of bytes as the file writes it: "64KiB", "4MiB" or a plain number.
type Size int

// String returns the largest binary unit that divides the size, such as "64KiB".
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int(s)%u.bytes == 0 {
			return strconv.Itoa(int(s)/u.bytes) + u.name
		}
	}
	return strconv.Itoa(int(s))
}

// sizeUnits lists what a size may end in, largest first. Decimal units (KB) are left out: nobody agrees on them.
var sizeUnits = []struct {
	name  string
	bytes int
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// PortRange is a range of UDP ports, both ends included. The zero value is no range.
type PortRange struct{ Lo, Hi uint16 }

// String returns "5004-5005".
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.Lo, r.Hi) }

// Pairs returns how many even/odd port pairs lie whole inside the range.
func (r PortRange) Pairs() int {
	first := (int(r.Lo) + 1) / 2
	end := (int(r.Hi) + 1) / 2
	return max(0, end-first)
}

// Overlaps reports whether the two ranges have a port in common.
func (r PortRange) Overlaps(o PortRange) bool { return r.Lo <= o.Hi && o.Lo <= r.Hi }

// Listen is an address that a virtual server listens on. An invalid Addr stands for every address of the machine, IPv4
// and IPv6, as ":554" does in the file.
type Listen struct {
	Addr netip.Addr
	Port uint16
}

// String returns the form that net.Listen takes: ":554", "192.0.2.1:554" or "[2001:db8::1]:554".
func (l Listen) String() string {
	if !l.Addr.IsValid() {
		return ":" + strconv.Itoa(int(l.Port))
	}
	return netip.AddrPortFrom(l.Addr, l.Port).String()
}
