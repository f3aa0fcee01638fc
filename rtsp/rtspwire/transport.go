package rtspwire

// Lower is the lower transport of a TransportSpec.
type Lower uint8

// The lower transports.
const (
	LowerUDP   Lower = iota // written, or nothing written
	LowerTCP                // interleaved
	LowerOther              // anything else
)

// PortRange is a port or a pair of ports as written. Without a second port, Hi is Lo and Pair is false.
type PortRange struct {
	Lo, Hi uint16
	Pair   bool
}

// Transport is the value of a Transport field: alternatives in the order of preference (RFC 2326, section 12.39).
type Transport []*TransportSpec

// TransportSpec is one alternative.
type TransportSpec struct{ raw string }

// ParseTransport reads the values of all Transport fields of a message as one list.
func ParseTransport(values ...string) (Transport, error) { return nil, nil }

// String returns the field's value.
func (t Transport) String() string { return "" }

// Protocol returns the protocol as written.
func (t *TransportSpec) Protocol() string { return t.raw }

// Profile returns the profile in upper case.
func (t *TransportSpec) Profile() string { return "" }

// Lower returns the lower transport.
func (t *TransportSpec) Lower() Lower { return LowerUDP }

// IsRTP reports whether the protocol is RTP.
func (t *TransportSpec) IsRTP() bool { return false }

// Multicast reports whether multicast is asked for.
func (t *TransportSpec) Multicast() bool { return false }

// Param returns a parameter's value without quotes.
func (t *TransportSpec) Param(name string) (string, bool) { return "", false }

// SetParam sets a parameter.
func (t *TransportSpec) SetParam(name, value string) {}

// DelParam removes a parameter.
func (t *TransportSpec) DelParam(name string) {}

// Ports reads a parameter as ports.
func (t *TransportSpec) Ports(name string) (PortRange, bool) { return PortRange{}, false }

// Channels reads the interleaved parameter.
func (t *TransportSpec) Channels() (lo, hi uint8, ok bool) { return 0, 0, false }

// SSRC reads the ssrc parameter.
func (t *TransportSpec) SSRC() (uint32, bool) { return 0, false }

// Mode returns the mode parameter as written, without quotes.
func (t *TransportSpec) Mode() string { return "" }

// String returns the spec as it will be written.
func (t *TransportSpec) String() string { return t.raw }

// Clone returns a copy.
func (t *TransportSpec) Clone() *TransportSpec { c := *t; return &c }
