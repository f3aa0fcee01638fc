package rtspwire

// RTPInfo is the value of an RTP-Info or X-RTP-Info field.
type RTPInfo []*RTPInfoEntry

// RTPInfoEntry is one stream of it.
type RTPInfoEntry struct{ raw string }

// ParseRTPInfo reads a value; what cannot be understood is kept.
func ParseRTPInfo(value string) RTPInfo { return nil }

// String returns the field's value.
func (r RTPInfo) String() string { return "" }

// URL returns the stream URL without quotes.
func (e *RTPInfoEntry) URL() string { return e.raw }

// SetURL replaces the stream URL.
func (e *RTPInfoEntry) SetURL(u string) {}

// Param returns a parameter's value without quotes.
func (e *RTPInfoEntry) Param(name string) (string, bool) { return "", false }

// SetParam sets a parameter.
func (e *RTPInfoEntry) SetParam(name, value string) {}

// DelParam removes a parameter.
func (e *RTPInfoEntry) DelParam(name string) {}

// Ports reads a parameter as ports.
func (e *RTPInfoEntry) Ports(name string) (PortRange, bool) { return PortRange{}, false }
