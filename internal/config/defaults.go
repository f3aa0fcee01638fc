package config

import "time"

// The ports of the protocols: those that a node answers on if the file does not say, and those that a listen address is
// proposed with.
// RFC 2326, section 3.2: 554 is the default RTSP port. [MS-MMSP] 1.9: 1755 is that of MMS, for TCP and UDP. RFC 9110,
// section 4.2: 80 and 443 are those of HTTP. IANA: 322 is that of RTSP in TLS.
const (
	defaultRTSPPort  = 554
	defaultRTSPSPort = 322
	defaultMMSPort   = 1755
	defaultHTTPPort  = 80
	defaultHTTPSPort = 443
)

// DefaultPort returns the port on which players look for a protocol when its URL names none; RTSP's for one that is not
// known.
func DefaultPort(protocol string) uint16 {
	switch protocol {
	case ProtocolRTSPS:
		return defaultRTSPSPort
	case ProtocolMMS:
		return defaultMMSPort
	case ProtocolHTTP:
		return defaultHTTPPort
	case ProtocolHTTPS:
		return defaultHTTPSPort
	}
	return defaultRTSPPort
}

// Default returns the configuration of an empty file: every default, no virtual server and no pool.
func Default() *Config {
	return &Config{
		Log:      Log{Level: "info", Format: "json"},
		Sessions: Sessions{Log: "-", Interim: Duration(15 * time.Minute)}, // a record nobody asked for is better than one that is missing
		// A player that fails with one protocol tries the next at once, over UDP after 5 to 20 s without a packet.
		Viewers:  Viewers{Window: Duration(30 * time.Second)},
		Relay:    defaultRelay(),
		Limits:   defaultLimits(),
		Timeouts: defaultTimeouts(),

		Transparent: defaultTransparent(),
		Capture:     defaultCapture(),
	}
}

func defaultRelay() Relay {
	return Relay{
		Engine: "auto",
		Steer:  SteerAuto,
		DSCP:   DSCPKeep, // as the kernel's NAT leaves it
		ClientMedia: ClientMedia{
			// The one pair that Windows Media Services sends from, so that a firewall rule made for it still fits.
			Ports: PortRange{5004, 5005},
			// A player behind NAT sends from another port than it names; another address would open rtpproxy's hole
			// (CVE-2017-14114).
			Latch: LatchSameAddress,
		},
		// 5,000 pairs, below the ports that Linux gives to outgoing connections (32768 and up).
		OriginMedia: OriginMedia{
			Ports: PortRange{20000, 29999},
			// Windows Media Services name the port that they send from; some others do not, or name a wrong one.
			Latch: LatchSameAddress,
		},
		// A playlist switch closes and binds the same client port again within this time (KB319381).
		Linger: Duration(2 * time.Second),
		// About 0.1 s of a 20 Mbit/s stream: more would hide overload as delay.
		ReceiveBuffer: 256 << 10,
		SendBuffer:    256 << 10,
		Overload: Overload{
			Busy:  95,  // above it the queues grow, and with them the delay of every session
			Drops: 100, // one late wake-up is no overload
		},
	}
}

func defaultLimits() Limits {
	return Limits{
		Line:         16 << 10,  // a URL with a long query fits
		Field:        64 << 10,  // a Kerberos ticket in Authorization is more than 2 KiB, seldom more than 48 KiB
		Header:       256 << 10, // a few such fields
		Fields:       256,       // players send about 20
		Body:         4 << 20,   // an SDP with a whole ASF header in it is more than 128 KiB
		Garbage:      64 << 10,  // one interleaved frame, cut at its head
		Connections:  20000,     // two descriptors each, and the media's
		Pipeline:     32,        // players send one, seldom five
		SyntaxErrors: 3,         // a player's slip is answered, a scanner is not listened to
		MMSMessage:   64 << 10,  // the largest, a log, is a few KiB; ASF headers come in data packets
	}
}

func defaultTimeouts() Timeouts {
	return Timeouts{
		FirstRequest: Duration(10 * time.Second), // who connects and says nothing holds a descriptor no longer
		Message:      Duration(15 * time.Second), // a slow line is fine, one byte each ten seconds is not
		Connect:      Duration(3 * time.Second),  // one lost SYN is sent again after 1 s; then the next node is tried
		Response:     Duration(10 * time.Second), // [MS-RTSP] 3.1.5.6: players give up a transport after 10 s
		Write:        Duration(10 * time.Second), // a player that stops reading for that long is gone
		Idle:         Duration(75 * time.Second), // the usual session timeout of 60 s (RFC 2326, section 12.37) and a margin
		Drain:        Duration(30 * time.Second), // below the 90 s after which service managers kill
	}
}

func defaultVirtualServer() VirtualServer {
	return VirtualServer{
		UDP:      true,
		Affinity: Duration(5 * time.Minute), // a pause in which a person fetches a coffee
	}
}

func defaultPool() Pool {
	return Pool{
		Policy:  PolicyLeastSessions, // a stream lasts: counting what runs spreads better than counting what began
		Monitor: defaultMonitor(),
	}
}

func defaultMonitor() Monitor {
	return Monitor{
		Interval: Duration(5 * time.Second), // out after 15 s, and a viewer meets a dead node only in between
		Timeout:  Duration(2 * time.Second), // a server that takes longer for OPTIONS is not fit for a viewer
		Rise:     2,                         // one good answer of a server that restarts in a loop is not health
		Fall:     3,                         // one lost probe is not death
	}
}

func defaultNode() Node {
	return Node{Ports: Ports{RTSP: defaultRTSPPort, MMS: defaultMMSPort, HTTP: defaultHTTPPort}, Weight: 1}
}
