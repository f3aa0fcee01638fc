package origin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

// wholeMessage is how long a client may take for its first message, and for the rest of one that it has begun.
const wholeMessage = 10 * time.Second

// errMMSClosed ends a connection on purpose: the client said so, or was told to go elsewhere.
var errMMSClosed = errors.New("origin: session closed")

// mmsConn is one MMS connection, which is one session. Its owner is the goroutine of serve, which reads and answers;
// header and media are sent by a task, a goroutine of its own, one at a time.
type mmsConn struct {
	mms    *mms
	server *Server
	tcp    *net.TCPConn
	client netip.AddrPort
	id     uint32 // Client-ID of [MS-MMSP] 3.2.1: nCubs
	reader *mmswire.Reader
	begin  time.Time

	// The owner's alone.
	connected bool
	funnel    bool
	pairs     bool   // packet pairs are to be sent over UDP
	wanted    string // what OpenFile asked for, while credentials are awaited
	asked     uint32 // playIncarnation of that OpenFile
	cookie    uint32 // of the last challenge
	refused   int    // credentials that were wrong
	task      *mmsTask
	heard     time.Time // when the last message came
	request   time.Time // when the last one came that was no Pong

	writing sync.Mutex // guards what follows and writes; held over one write, which has a deadline
	seq     uint16
	spoke   time.Time // when the last message was sent
	broken  bool

	mu          sync.Mutex // guards what follows; never held over I/O
	file        *asf.File  // nil until one is open
	name        string
	to          netip.AddrPort // where Data packets go; not valid: into the connection
	selected    selection
	sequence    uint32    // of the next Data packet with ASF data
	sent        *sentRing // nil until media go over UDP
	incarnation uint32    // of the last StartPlaying
	streaming   bool
	stopped     time.Time // when it last ceased to be streaming
	entry       int       // of the playlist
	resends     budget
}

func newMMSConn(m *mms, tcp *net.TCPConn, id uint32) *mmsConn {
	a := tcp.RemoteAddr().(*net.TCPAddr).AddrPort()
	now := time.Now()
	return &mmsConn{
		mms: m, server: m.server, tcp: tcp, client: netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), id: id,
		reader: mmswire.NewReader(tcp, mmswire.Limits{}), begin: now, heard: now, request: now, spoke: now,
		entry: firstEntry,
	}
}

// serve reads and answers until the connection ends. [MS-MMSP] 3.2.7.1: the session ends with it.
func (c *mmsConn) serve() {
	defer c.mms.forget(c)
	defer func() { c.halt() }()
	defer c.close()
	for {
		if err := c.next(); err != nil {
			c.server.log.Debug("mms connection ended", zap.Stringer("client", c.client), zap.Error(err))
			return
		}
	}
}

// next waits for one packet of the client, or until something else is to be done.
func (c *mmsConn) next() error {
	at, due := c.deadline()
	if err := c.tcp.SetReadDeadline(at); err != nil {
		return err
	}
	item, err := c.reader.Read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return due()
	}
	if err != nil {
		return err
	}
	p, ok := item.(*mmswire.Packet)
	if !ok {
		return errors.New("origin: read message: client sent a data packet")
	}
	c.heard = time.Now()
	for _, raw := range p.Messages {
		msg, err := mmswire.Decode(raw)
		if err != nil {
			return fmt.Errorf("origin: read message: %w", err)
		}
		if raw.MID != mmswire.MIDPong {
			c.request = c.heard
		}
		if err := c.handle(msg); err != nil {
			return err
		}
	}
	return nil
}

// deadline is the next time at which the owner has something to do, and what.
func (c *mmsConn) deadline() (time.Time, func() error) {
	late := func(what string) func() error {
		return func() error { return fmt.Errorf("origin: read message: %s: %w", what, os.ErrDeadlineExceeded) }
	}
	if !c.connected {
		return c.begin.Add(c.mms.patience), late("no first message")
	}
	if c.reader.InMessage() {
		return c.heard.Add(c.mms.patience), late("half a message")
	}
	c.writing.Lock()
	quiet := c.spoke
	c.writing.Unlock()
	if quiet.Before(c.heard) {
		quiet = c.heard
	}
	ping := quiet.Add(c.server.cfg.Ping)
	streaming, since := c.state()
	if since.Before(c.request) {
		since = c.request
	}
	if idle := since.Add(c.server.cfg.Idle); !streaming && idle.Before(ping) { // [MS-MMSP] 3.2.6.2
		return idle, late("idle")
	}
	return ping, func() error {
		if c.reader.InMessage() { // its first bytes have just come
			c.heard = time.Now()
			return nil
		}
		return c.send(&mmswire.Ping{}) // [MS-MMSP] 3.2.6.1
	}
}

// send writes one message, in one write: players look for no second one in what they have read.
func (c *mmsConn) send(msg mmswire.Message) error {
	raw := mmswire.Encode(msg)
	c.writing.Lock()
	defer c.writing.Unlock()
	now := time.Now()
	b := mmswire.AppendPacket(nil, c.seq, uint64(now.Sub(c.begin).Milliseconds()), raw)
	c.seq++
	c.spoke = now
	return c.writeLocked(b)
}

// sendData writes one Data packet to where the client wants it.
func (c *mmsConn) sendData(d mmswire.Data, to netip.AddrPort) error {
	b := mmswire.AppendData(nil, d)
	if to.IsValid() {
		c.server.send(b, to)
		return nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeLocked(b)
}

// writeLocked writes; after a fault the connection is closed.
func (c *mmsConn) writeLocked(b []byte) error {
	if c.broken {
		return net.ErrClosed
	}
	err := c.tcp.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = c.tcp.Write(b)
	}
	if err != nil {
		c.broken = true
		c.close()
	}
	return err
}

// close ends the connection. The error is of a socket that nobody will use again.
func (c *mmsConn) close() { _ = c.tcp.Close() }

// state tells whether media are being sent, or since when they are not.
func (c *mmsConn) state() (streaming bool, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streaming, c.stopped
}
