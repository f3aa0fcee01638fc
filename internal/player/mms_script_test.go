package player_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

// script is what a server of one connection after the other does, besides what [MS-MMSP] 3.2 has it do.
type script struct {
	version    string // empty: 9.1.1.3814
	refuse     map[bool]uint32
	redirect   *mmswire.ReportRedirect
	challenge  []byte // asks for credentials, until they are those of secret
	openResult uint32
	loseHeader []int // parts that are lost the first time, over UDP
	deaf       bool  // no header ever comes
	lose       []int // packets that are lost the first time, over UDP
	late       []int // packets that come two places later
	first      uint32
	entries    int             // 0 is 1
	breakAt    int             // closes the connection before this packet, 0 never
	breakAfter <-chan struct{} // not nil: and when this is closed
	endResult  uint32
	ping       bool
}

const secret = "YWxpY2U6c2VjcmV0" // alice:secret

// scripted is a server that runs a script, and what it was told.
type scripted struct {
	script
	t    *testing.T
	file *asf.File
	tcp  *net.TCPListener
	udp  *net.UDPConn
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	heard []mmswire.Message
	sent  map[uint32][]byte // Data packets by sequence number
	asked []mmswire.ResendRequest
	to    netip.AddrPort // of the client's media
}

// serve runs a script at an address of its own until the test ends. It plays the first packets of the sample only, so
// that a socket holds them all.
func serve(t *testing.T, address string, s script) *scripted {
	t.Helper()
	file := *samplePackets(t)
	file.Packets = file.Packets[:40]
	file.Header = file.SetPackets(40)
	x := &scripted{script: s, t: t, file: &file, sent: map[uint32][]byte{}}
	addr := netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	var err error
	if x.tcp, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr)); err != nil {
		t.Fatal(err)
	}
	if x.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(x.at())); err != nil {
		t.Fatal(err)
	}
	x.wg.Go(x.accept)
	x.wg.Go(x.resends)
	t.Cleanup(func() {
		_ = x.tcp.Close()
		_ = x.udp.Close()
		x.mu.Lock()
		for _, c := range x.conns {
			_ = c.Close()
		}
		x.mu.Unlock()
		x.wg.Wait()
	})
	return x
}

func (x *scripted) at() netip.AddrPort { return x.tcp.Addr().(*net.TCPAddr).AddrPort() }

func (x *scripted) accept() {
	for {
		c, err := x.tcp.Accept()
		if err != nil {
			return
		}
		x.mu.Lock()
		x.conns = append(x.conns, c)
		x.mu.Unlock()
		x.wg.Go(func() {
			defer c.Close()
			s := &scriptedConn{scripted: x, c: c}
			if err := s.run(); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				x.t.Errorf("script: %v", err)
			}
		})
	}
}

// resends answers requests, all of whose numbers must be those of packets that were sent.
func (x *scripted) resends() {
	b := make([]byte, 2048)
	for {
		n, from, err := x.udp.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		r, err := mmswire.ParseResend(b[:n])
		x.mu.Lock()
		if err != nil || r.ClientID != 0xc11e47 || r.SourceID != 1 || from != x.to {
			x.t.Errorf("resend request %+v from %s, error %v", r, from, err)
		}
		x.asked = append(x.asked, r)
		for _, n := range r.Packets {
			if x.sent[n] == nil {
				x.t.Errorf("asked for packet %d, which was never sent", n)
			}
			_, _ = x.udp.WriteToUDPAddrPort(x.sent[n], from)
		}
		x.mu.Unlock()
	}
}

// told is all messages of a kind.
func told[M mmswire.Message](x *scripted) (all []M) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range x.heard {
		if m, ok := m.(M); ok {
			all = append(all, m)
		}
	}
	return all
}

// scriptedConn is one connection.
type scriptedConn struct {
	*scripted
	c       net.Conn
	to      netip.AddrPort // of this connection's media; its own goroutine's
	seq     uint16
	headers int
	entry   int
	number  uint32 // of the next Data packet
	over    bool
}

func (s *scriptedConn) run() error {
	s.number = s.first
	in := mmswire.NewReader(s.c, mmswire.Limits{})
	for {
		item, err := in.Read()
		if err != nil {
			return err
		}
		p, ok := item.(*mmswire.Packet)
		if !ok || len(p.Messages) != 1 { // [MS-MMSP] 3.1.5.1
			return errors.New("not one message in a packet")
		}
		m, err := mmswire.Decode(p.Messages[0])
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.heard = append(s.heard, m)
		s.mu.Unlock()
		if err := s.answer(m); err != nil || s.over {
			return err
		}
	}
}

func (s *scriptedConn) send(m mmswire.Message) error {
	_, err := s.c.Write(mmswire.AppendPacket(nil, s.seq, 0, mmswire.Encode(m)))
	s.seq++
	return err
}

func (s *scriptedConn) answer(m mmswire.Message) error {
	switch m := m.(type) {
	case *mmswire.Connect:
		version := s.version
		if version == "" {
			version = "9.1.1.3814"
		}
		return s.send(&mmswire.ReportConnectedEX{PlayIncarnation: m.PlayIncarnation, ServerVersionInfo: version, AuthenPackage: "BASIC"})
	case *mmswire.FunnelInfo:
		info := &mmswire.ReportFunnelInfo{PlayIncarnation: m.PlayIncarnation, NCubs: 0xc11e47}
		if m.PlayIncarnation == mmswire.PacketPairTCPHighEntropy {
			info.PacketPair = make([]byte, 480)
			return errors.Join(s.send(info), s.send(info), s.send(info))
		}
		return s.send(info)
	case *mmswire.ConnectFunnel:
		return s.connectFunnel(m)
	case *mmswire.OpenFile:
		switch {
		case s.redirect != nil:
			s.over = true
			return s.send(s.redirect)
		case s.challenge != nil:
			return s.send(&mmswire.SecurityChallenge{PlayIncarnation: m.PlayIncarnation, Cookie: 7, Token: s.challenge})
		}
		return s.opened()
	case *mmswire.SecurityResponse:
		if m.Cookie == 7 && string(m.Token) == secret+"\x00" {
			return s.opened()
		}
		return s.send(&mmswire.SecurityChallenge{PlayIncarnation: m.PlayIncarnation, Cookie: 7, Token: s.challenge})
	case *mmswire.ReadBlock:
		return errors.Join(s.send(&mmswire.ReportReadBlock{PlayIncarnation: m.PlayIncarnation}), s.header(uint8(m.PlayIncarnation)))
	case *mmswire.StreamSwitch:
		return s.send(&mmswire.ReportStreamSwitch{})
	case *mmswire.StartPlaying:
		if err := s.send(&mmswire.ReportStartedPlaying{PlayIncarnation: m.PlayIncarnation}); err != nil || s.to.Port() == 0 && s.entry > 0 {
			return err // over TCP the entry is on its way already
		}
		return s.play(uint8(m.PlayIncarnation))
	case *mmswire.StopPlaying:
		return s.send(&mmswire.ReportEndOfStream{PlayIncarnation: m.PlayIncarnation})
	case *mmswire.CloseFile:
		s.over = true
	}
	return nil
}

func (s *scriptedConn) connectFunnel(m *mmswire.ConnectFunnel) error {
	f, err := mmswire.ParseFunnelName(m.FunnelName)
	if err != nil {
		return err
	}
	if hr := s.refuse[f.UDP]; hr != 0 {
		return s.send(&mmswire.ReportDisconnectedFunnel{HR: hr})
	}
	s.to = netip.AddrPort{}
	if f.UDP {
		s.to = netip.AddrPortFrom(f.Addr, uint16(f.Port))
	}
	s.mu.Lock()
	s.scripted.to = s.to
	s.mu.Unlock()
	return s.send(&mmswire.ReportConnectedFunnel{FunnelName: "Funnel Of The Gods"})
}

func (s *scriptedConn) opened() error {
	return s.send(&mmswire.ReportOpenFile{
		HR: s.openResult, OpenFileID: 1, FilePacketSize: uint32(s.file.PacketSize), FilePacketCount: uint64(len(s.file.Packets)),
		FileBitRate: 1e9, FileHeaderSize: uint32(len(s.file.Header)),
	})
}

func (s *scriptedConn) data(d mmswire.Data, lost bool) error {
	b := mmswire.AppendData(nil, d)
	if s.to.Port() == 0 {
		_, err := s.c.Write(b)
		return err
	}
	if lost {
		return nil
	}
	_, err := s.udp.WriteToUDPAddrPort(b, s.to)
	return err
}

// header sends it in parts of 200 bytes, over UDP after a packet pair.
func (s *scriptedConn) header(incarnation uint8) error {
	if s.deaf {
		return nil
	}
	if s.headers++; s.to.Port() != 0 {
		for n := range uint32(2) {
			if err := s.data(mmswire.Data{LocationID: 0xf0f0f000 + n, PlayIncarnation: 0xff, AFFlags: 16, Payload: make([]byte, 1464)}, false); err != nil {
				return err
			}
		}
	}
	parts := slices.Collect(slices.Chunk(s.file.Header, 200))
	for n, part := range parts {
		d := mmswire.Data{LocationID: uint32(n), PlayIncarnation: incarnation, AFFlags: 4, Payload: part}
		if n == len(parts)-1 {
			d.AFFlags = 12
		}
		if err := s.data(d, s.headers == 1 && slices.Contains(s.loseHeader, n)); err != nil {
			return err
		}
	}
	return nil
}

// play sends an entry, its end and, over TCP, the next one.
func (s *scriptedConn) play(incarnation uint8) error {
	order := make([]int, 0, len(s.file.Packets))
	for n := range s.file.Packets {
		if !slices.Contains(s.late, n) {
			order = append(order, n)
		}
		if slices.Contains(s.late, n-2) {
			order = append(order, n-2)
		}
	}
	begin := s.number
	for _, n := range order {
		if s.breakAt > 0 && n == s.breakAt {
			if s.breakAfter != nil {
				<-s.breakAfter
			}
			s.over = true
			return nil
		}
		if s.ping && n == 5 {
			if err := s.send(&mmswire.Ping{}); err != nil {
				return err
			}
		}
		d := mmswire.Data{
			LocationID: uint32(n), PlayIncarnation: incarnation, AFFlags: uint8(begin + uint32(n)), Payload: s.file.Packets[n],
		}
		s.mu.Lock()
		s.sent[begin+uint32(n)] = mmswire.AppendData(nil, d)
		s.mu.Unlock()
		if err := s.data(d, slices.Contains(s.lose, n)); err != nil {
			return err
		}
	}
	s.number += uint32(len(order))
	return s.end(incarnation)
}

func (s *scriptedConn) end(incarnation uint8) error {
	if s.entry++; s.entry >= s.entries {
		return s.send(&mmswire.ReportEndOfStream{HR: s.endResult, PlayIncarnation: uint32(incarnation)})
	}
	err := errors.Join(
		s.send(&mmswire.ReportEndOfStream{HR: 1, PlayIncarnation: uint32(incarnation)}),
		s.send(&mmswire.ReportStreamChange{TCPHdrIncarnation: 0xff, PacketSize: uint32(s.file.PacketSize), HeaderSize: uint32(len(s.file.Header)), BitRate: 1e9}),
	)
	if err != nil || s.to.Port() != 0 {
		return err
	}
	return errors.Join(s.header(0xff), s.play(0xff)) // [MS-MMSP] 3.2.4.2
}

// memory is a file in memory.
type memory struct {
	b  []byte
	at int
}

func (m *memory) Write(b []byte) (int, error) {
	m.b = append(m.b[:m.at], append(bytes.Clone(b), m.b[min(len(m.b), m.at+len(b)):]...)...)
	m.at += len(b)
	return len(b), nil
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	m.at = int(offset)
	if whence == io.SeekEnd {
		m.at += len(m.b)
	}
	return int64(m.at), nil
}

// within fails the test if it takes longer.
func within(t *testing.T, most time.Duration) func() {
	began := time.Now()
	return func() {
		t.Helper()
		if d := time.Since(began); d > most {
			t.Errorf("it took %s", d)
		}
	}
}
