package player

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

const (
	// closeTimeout is how long the origin may take to close the connection after CloseFile.
	closeTimeout = time.Second
	// silenceTimeout is how long nothing at all may come. A server pings every 30 s. [MS-MMSP] 3.2.2.
	silenceTimeout = 90 * time.Second
)

// mmsRun is one try over MMS: a connection, a session and, over UDP, a socket. One goroutine, Play's, owns it; others
// only feed events. [MS-MMSP] 3.1.1 has the names of most of its state.
type mmsRun struct {
	*attempt
	url       *url.URL
	transport string // "udp" or "tcp"; that of a refused funnel changes

	tcp    net.Conn
	udp    *net.UDPConn // nil over TCP
	origin netip.Addr
	port   uint16 // of the origin, TCP and UDP
	local  netip.Addr
	events chan mmsEvent // from the readers; they wait if it is full, and TCP with them
	done   chan struct{} // closed when the run ends: readers give up
	wg     sync.WaitGroup
	broken bool      // the connection can no more be used
	heard  time.Time // when anything came last
	opened time.Time // when the first message was sent
	seq    uint16    // of the next message

	guid        string
	server      *mmswire.ReportConnectedEX
	funnelInfos int    // FunnelInfo-Count
	clientID    uint32 // nCubs
	pairs       [2]time.Time
	file        *mmswire.ReportOpenFile

	header            *mmsHeader
	headerIncarnation uint32 // of the next ReadBlock, 1 to 8
	playIncarnation   uint32 // of the next OpenFile or StartPlaying, 9 to 254
	started           uint32 // PlayIncarnation-For-Stop
	info              *asf.Info
	packets           uint64     // how many the entry has, 0 if nobody knows
	stream            *mmsStream // of the entry that plays, nil before the first and between two
	nextSeq           uint32     // sequence number that comes after those of earlier entries
	out               *output

	streaming bool
	stopping  bool      // the end that comes next is our own doing
	playedAt  time.Time // when the entry was asked for
	firstAt   time.Time // of the first packet of all
	ended     time.Time // when the end of the entry was told
	more      bool      // another entry follows it
	over      bool      // the last entry has ended
	change    *mmswire.ReportStreamChange
}

func newMMSRun(p *attempt, u *url.URL, transport string) *mmsRun {
	return &mmsRun{
		attempt: p, url: u, transport: transport, guid: "{" + p.guid + "}",
		events: make(chan mmsEvent, 256), done: make(chan struct{}),
		headerIncarnation: 1, playIncarnation: 9,
	}
}

// play does everything, and leaves nothing behind.
func (r *mmsRun) play(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.finish()) }()
	for _, step := range []func(context.Context) error{
		r.dialServer, r.connect, r.askFunnelInfo, r.connectFunnel, r.openFile, r.readHeader, r.startPlaying, r.receive,
	} {
		if err = step(ctx); err != nil {
			break
		}
	}
	r.leave(ctx)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// dialServer connects to the server, or to the proxy that it sent us to. [MS-MMSP] 3.1.4.1.
func (r *mmsRun) dialServer(ctx context.Context) error {
	host := r.o.address(r.url)
	if r.via != "" {
		host = r.via
	}
	tcp, err := r.dial(ctx, host)
	if err != nil {
		return err
	}
	r.tcp = tcp
	at := tcp.RemoteAddr().(*net.TCPAddr).AddrPort()
	r.origin, r.port = at.Addr().Unmap(), at.Port()
	r.local = tcp.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	r.opened, r.heard = time.Now(), time.Now()
	r.wg.Go(func() { r.readTCP(tcp) })
	return nil
}

// finish ends the readers, closes the sockets and completes the report.
func (r *mmsRun) finish() error {
	close(r.done)
	if r.tcp != nil {
		_ = r.tcp.Close() // nothing is left to be said on it
	}
	if r.udp != nil {
		_ = r.udp.Close()
	}
	r.wg.Wait()
	if r.stream != nil {
		r.count(r.stream)
	}
	if r.out == nil {
		return nil
	}
	return r.out.finish()
}

// count adds what a stream has brought to the report; no more comes of it.
func (r *mmsRun) count(s *mmsStream) {
	s.flow.flush()
	s.flow.addTo(r.report)
	if s.started {
		r.nextSeq = s.highest + 1
	}
}

// leave ends the session, also when ctx has ended already. What fails now does not matter. [MS-MMSP] 3.1.4.8.
func (r *mmsRun) leave(ctx context.Context) {
	if r.file == nil || r.broken {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownTimeout)
	defer cancel()
	if r.streaming && r.ended.IsZero() {
		if r.stop(ctx) != nil {
			return
		}
	}
	if r.send(&mmswire.CloseFile{OpenFileID: r.file.OpenFileID}) != nil {
		return
	}
	r.step("closed the file")
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	for !r.broken { // the server closes the connection: [MS-MMSP] 3.2.5.17
		select {
		case e := <-r.events:
			r.broken = e.err != nil
		case <-timer.C:
			return
		}
	}
}

// stop asks for the end and waits for it. [MS-MMSP] 3.1.4.5.
func (r *mmsRun) stop(ctx context.Context) error {
	r.stopping = true
	if err := r.send(&mmswire.StopPlaying{OpenFileID: r.file.OpenFileID, PlayIncarnation: r.started}); err != nil {
		return err
	}
	if r.stream != nil {
		if err := r.sendLog(r.stream); err != nil {
			return err
		}
	}
	_, err := r.await(ctx, mmswire.MIDReportEndOfStream)
	r.streaming = false
	return err
}
