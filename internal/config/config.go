package config

import "net/netip"

// Protocols that a virtual server may speak.
const (
	ProtocolRTSP  = "rtsp"
	ProtocolRTSPS = "rtsps" // in TLS
	ProtocolMMS   = "mms"
	ProtocolHTTP  = "http"
	ProtocolHTTPS = "https" // in TLS
)

// Policies by which a pool chooses a node.
const (
	PolicyRoundRobin    = "round-robin"
	PolicyLeastSessions = "least-sessions"
	PolicyRandomTwo     = "random-two"
	PolicyHashURL       = "hash-url"
	PolicyHashClient    = "hash-client"
)

// Latch policies of relay.client_media.latch and relay.origin_media.latch.
const (
	LatchOff         = "off"
	LatchSameAddress = "same-address"
)

// Values of relay.steer.
const (
	SteerAuto = "auto" // where the kernel and the privileges allow it
	SteerOff  = "off"
)

// Config is the whole configuration with every default filled in. Load, Parse and ForOrigin return only checked ones;
// one that was built by hand is checked with Validate.
type Config struct {
	Log            Log             `yaml:"log"`
	Sessions       Sessions        `yaml:"sessions"`
	Viewers        Viewers         `yaml:"viewers"`
	VirtualServers []VirtualServer `yaml:"virtual_servers"`
	Pools          []Pool          `yaml:"pools"`
	Relay          Relay           `yaml:"relay"`
	Limits         Limits          `yaml:"limits"`
	Timeouts       Timeouts        `yaml:"timeouts"`
	Transparent    Transparent     `yaml:"transparent"`
	Capture        Capture         `yaml:"capture"`
	Admin          Admin           `yaml:"admin"`
}

// Admin says where the admin API is.
type Admin struct {
	Listen    string `yaml:"listen"`     // "127.0.0.1:9554" or "unix:PATH"; "": there is none
	TokenFile string `yaml:"token_file"` // a file with the token that requests have to bring; "": none
}

// Log says how much the program writes to standard error, and in which form.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or console
}

// Sessions says where the session records go.
type Sessions struct {
	Log      string `yaml:"log"`       // a path; "-" is standard output, "" writes none
	W3CLog   string `yaml:"w3c_log"`   // the same in the format of Windows Media Services; a path of its own
	TraceDir string `yaml:"trace_dir"` // a directory, where each session has a trace; "": none has
	// Interim is how often a session that goes on has a record; 0: it has one at its end alone.
	Interim Duration `yaml:"interim"`
}

// Viewers says how players are recognised that try one protocol after the other.
type Viewers struct {
	Window Duration `yaml:"window"` // how long after the end of its last session a player is still the same viewer
}

// VirtualServer is one configured service: a protocol, the addresses it listens on, and the pool behind it.
type VirtualServer struct {
	Name     string   `yaml:"name"`
	Protocol string   `yaml:"protocol"`
	Listen   []Listen `yaml:"listen"`
	Pool     string   `yaml:"pool"` // the name of a Pool
	UDP      bool     `yaml:"udp"`  // whether players may have their media over UDP; false sends them to TCP
	TLS      TLS      `yaml:"tls"`  // of rtsps and https; empty for the others
	// Affinity is how long after its last request a player of http or https still goes to its node.
	Affinity Duration `yaml:"affinity"`
	// Announce names the virtual servers that an announcement of http or https lists; none: those that lead to the same
	// pool.
	Announce []string `yaml:"announce"`
	Routes   []Route  `yaml:"routes"` // the first that matches leads to its pool; if none does, Pool serves
}

// TLS names the files of a certificate, in PEM.
type TLS struct {
	Certificate string `yaml:"certificate"` // the certificate, followed by those between it and the root
	Key         string `yaml:"key"`
}

// Route leads some of a virtual server's sessions to another pool. A session must match all that the route names.
type Route struct {
	Host string `yaml:"host"` // the host in the URL, without port, in any case; "" matches every host
	Path string `yaml:"path"` // a prefix of whole segments of the URL's path, in any case; "" matches every path
	Pool string `yaml:"pool"` // the name of a Pool
}

// Pool is a group of nodes and the way one of them is chosen.
type Pool struct {
	Name        string  `yaml:"name"`
	Policy      string  `yaml:"policy"`
	Transparent bool    `yaml:"transparent"` // nodes see the client's own address and port
	Monitor     Monitor `yaml:"monitor"`
	Nodes       []Node  `yaml:"nodes"`
}

// Monitor is the active probe of a pool's nodes.
type Monitor struct {
	Interval Duration `yaml:"interval"`  // from probe to probe of one node; 0 switches the monitor off
	Timeout  Duration `yaml:"timeout"`   // of one probe; shorter than Interval
	Rise     int      `yaml:"rise"`      // good probes in a row that bring a node back
	Fall     int      `yaml:"fall"`      // bad probes in a row that take a node out
	MMSPath  string   `yaml:"mms_path"`  // a file that the MMS probe opens and whose header it reads; "": it only connects
	HTTPPath string   `yaml:"http_path"` // what the HTTP probe asks for; "": "/"
}

// Node is one origin server.
type Node struct {
	Name    string     `yaml:"name"`
	Address netip.Addr `yaml:"address"`
	Ports   Ports      `yaml:"ports"`
	Weight  int        `yaml:"weight"` // its share of the sessions relative to the other nodes, from 1
}

// Ports are a node's ports by protocol.
type Ports struct {
	RTSP uint16 `yaml:"rtsp"`
	MMS  uint16 `yaml:"mms"`
	HTTP uint16 `yaml:"http"`
}

// Relay says which UDP ports carry media, and how much the kernel keeps of it.
type Relay struct {
	Engine        string      `yaml:"engine"` // what moves datagrams: auto, plain or fast
	Loops         int         `yaml:"loops"`  // of the fast engine; 0 is one a core
	Steer         string      `yaml:"steer"`  // whether the fast engine receives for all flows by one socket a loop: auto or off
	XDP           []string    `yaml:"xdp"`    // network interfaces where nodes' media is taken before the kernel's own stack has it
	DSCP          DSCP        `yaml:"dscp"`   // of the packets that are sent
	ClientMedia   ClientMedia `yaml:"client_media"`
	OriginMedia   OriginMedia `yaml:"origin_media"`
	Linger        Duration    `yaml:"linger"`         // how long the ports of a closed flow are drained before they serve again
	ReceiveBuffer Size        `yaml:"receive_buffer"` // of each media socket in the kernel; eight times as much of a shared one
	SendBuffer    Size        `yaml:"send_buffer"`    // of each media socket in the kernel; eight times as much of a shared one
	Overload      Overload    `yaml:"overload"`
}

// Overload says when new sessions over UDP are refused so that those that play do not suffer. The fast engine knows.
type Overload struct {
	Busy  int `yaml:"busy"`  // percent of a second that a loop may be busy; 0 is no limit
	Drops int `yaml:"drops"` // datagrams a second that the kernel may drop before the relay has read them; 0 is no limit
}

// ClientMedia is the side of the relay that faces the players.
type ClientMedia struct {
	Ports PortRange `yaml:"ports"` // exactly one pair is shared by all sessions; more ports are a pair for each flow
	Latch string    `yaml:"latch"` // off or same-address
}

// OriginMedia is the side of the relay that faces the nodes.
type OriginMedia struct {
	Ports PortRange `yaml:"ports"`
	Latch string    `yaml:"latch"` // off or same-address
}

// Limits bound what one client or origin can make the gateway hold. Sizes are in bytes.
type Limits struct {
	Line         Size `yaml:"line"`          // a request or status line
	Field        Size `yaml:"field"`         // one header field with its folds
	Header       Size `yaml:"header"`        // all fields of a message
	Fields       int  `yaml:"fields"`        // their number
	Body         Size `yaml:"body"`          // a message body
	Garbage      Size `yaml:"garbage"`       // bytes in a row that are neither a message nor a frame
	Connections  int  `yaml:"connections"`   // client connections of each virtual server
	Pipeline     int  `yaml:"pipeline"`      // requests of one connection that wait for their reply
	SyntaxErrors int  `yaml:"syntax_errors"` // the one that ends a connection
	MMSMessage   Size `yaml:"mms_message"`   // a packet of MMS messages, its header included
}

// Timeouts bound how long the gateway waits.
type Timeouts struct {
	FirstRequest Duration `yaml:"first_request"` // from accept to the first whole request
	Message      Duration `yaml:"message"`       // from the first byte of a message to its last
	Connect      Duration `yaml:"connect"`       // for a node's TCP connection
	Response     Duration `yaml:"response"`      // for a node's reply
	Write        Duration `yaml:"write"`         // for a peer to take what we write
	Idle         Duration `yaml:"idle"`          // for a connection that has set nothing up and says nothing
	Drain        Duration `yaml:"drain"`         // for sessions to end when the gateway stops
}
