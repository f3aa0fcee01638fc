package decode

// Limits bound what one capture may make Read remember. A value of zero or less means the default of the same name.
type Limits struct {
	Packet        int   // bytes of one captured packet; a larger one is taken for a damaged file
	Connections   int   // TCP connections followed at once
	Conversations int   // conversations reported
	Events        int   // messages and other lines, of all conversations
	Text          int64 // bytes of all texts that are kept
	Pending       int   // bytes of one direction of a connection that wait for a missing segment
	PendingAll    int   // the same, of all connections
	Fragments     int   // IP datagrams that wait for a fragment
	Flows         int   // media flows
	Findings      int
}

// The limits that apply where the given Limits say nothing.
const (
	DefaultPacket        = 256 << 10
	DefaultConnections   = 8192
	DefaultConversations = 1024
	DefaultEvents        = 200_000
	DefaultText          = 64 << 20
	DefaultPending       = 1 << 20
	DefaultPendingAll    = 32 << 20
	DefaultFragments     = 128
	DefaultFlows         = 4096
	DefaultFindings      = 4096
)

func (l *Limits) fill() {
	for _, v := range []struct {
		at  *int
		def int
	}{
		{&l.Packet, DefaultPacket}, {&l.Connections, DefaultConnections}, {&l.Conversations, DefaultConversations},
		{&l.Events, DefaultEvents}, {&l.Pending, DefaultPending}, {&l.PendingAll, DefaultPendingAll},
		{&l.Fragments, DefaultFragments}, {&l.Flows, DefaultFlows}, {&l.Findings, DefaultFindings},
	} {
		if *v.at <= 0 {
			*v.at = v.def
		}
	}
	if l.Text <= 0 {
		l.Text = DefaultText
	}
}
