//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mediagate/rtsp/rtspwire"
)

// tcpCost is what interleaved media costs on its way from the origin's connection to the player's.
type tcpCost struct {
	Sessions int     `json:"sessions"`
	Size     int     `json:"bytes"`
	Burst    int     `json:"burst"`  // frames back to back, each in a write of its own
	Rate     float64 `json:"rate"`   // packets a second that came to the players
	CPU      float64 `json:"cpu_us"` // per packet: the proxy's process and the gateway's receive thread
	Process  float64 `json:"process_us"`
	Memory   int64   `json:"memory"`
}

func (t *tcpCost) String() string {
	return fmt.Sprintf("interleaved over TCP, %d sessions, %d bytes, bursts of %d, %.0f packets a second: %.2f CPU s per million packets (process %.2f), %d MiB",
		t.Sessions, t.Size, t.Burst, t.Rate, t.CPU, t.Process, t.Memory>>20)
}

// rtspPort is where the origin and the gateway listen.
const rtspPort = 554

// pace is how often the origin sends a frame to each player, in the mean.
const pace = 2 * time.Millisecond

// stage is the scripted origin and the players of interleaved media.
type stage struct {
	size     int
	burst    int
	listener net.Listener
	bytes    atomic.Uint64 // that came to the players
	quit     chan struct{}
	wg       sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// measureTCP sends media of rtsp.Proxy in a process of its own. Of the load, Flows is how many sessions there are, and
// the rate is pace's.
func measureTCP(ctx context.Context, receive string, l load, window time.Duration) (*tcpCost, error) {
	b, err := newBed(ctx, receive)
	if err != nil {
		return nil, err
	}
	defer b.close()
	// Unlike datagrams, what comes to players is not dropped but answered: that is not the gateway's work.
	if err := b.in(ctx, clientHost, "sh", "-ec", rps("eth0", trafficCore)); err != nil {
		return nil, err
	}
	s := &stage{size: l.Size, burst: l.Burst, quit: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, err
	}
	defer s.close()
	r := &ours{engine: proxyRole}
	if _, err := r.open(ctx, b, 0); err != nil {
		return nil, err
	}
	defer r.close()
	for i := range l.Flows {
		if err := s.play(i); err != nil {
			return nil, err
		}
	}
	if err := wait(ctx, settle); err != nil {
		return nil, err
	}
	c := &tcpCost{Sessions: l.Flows, Size: l.Size, Burst: l.Burst}
	return c, c.read(ctx, b, r, s, window)
}

func (c *tcpCost) read(ctx context.Context, b *bed, r relay, s *stage, window time.Duration) error {
	frames := func() float64 { return float64(s.bytes.Load()) / float64(4+s.size) }
	var process, kernel [2]time.Duration
	var n [2]float64
	start := time.Now()
	for i := range 2 {
		var err error
		if process[i], err = cpuTime(r.pids()); err != nil {
			return err
		}
		if kernel[i], err = cpuTime(b.napi); err != nil {
			return err
		}
		if n[i] = frames(); i == 1 {
			break
		}
		if err = wait(ctx, window); err != nil {
			return err
		}
	}
	count := n[1] - n[0]
	if count == 0 {
		return errors.New("rig: play over TCP: no frame came to a player")
	}
	c.Rate = count / time.Since(start).Seconds()
	c.Process = float64(process[1]-process[0]) / count / 1e3
	c.CPU = c.Process + float64(kernel[1]-kernel[0])/count/1e3
	var err error
	c.Memory, err = resident(r.pids()[0])
	return err
}

// open starts the origin.
func (s *stage) open() (err error) {
	err = inside(originHost, func() error {
		s.listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", netip.AddrPortFrom(originAddr, rtspPort).String())
		return err
	})
	if err != nil {
		return fmt.Errorf("rig: open origin: %w", err)
	}
	s.wg.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return // closed
			}
			s.keep(conn)
			s.wg.Go(func() { s.serve(conn) })
		}
	})
	return nil
}

func (s *stage) keep(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, conn)
}

// serve answers what it is asked, and after PLAY sends media until the end.
func (s *stage) serve(conn net.Conn) {
	read := rtspwire.NewReader(conn, rtspwire.Limits{})
	for {
		item, err := read.Read()
		if err != nil {
			return // closed
		}
		req, ok := item.(*rtspwire.Request)
		if !ok {
			continue
		}
		transport := ""
		if req.Method == "SETUP" {
			transport = "Transport: " + req.Header.Get("Transport") + "\r\n"
		}
		if _, err = fmt.Fprintf(conn, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nSession: 1\r\n%s\r\n", req.Header.Get("CSeq"), transport); err != nil {
			return
		}
		if req.Method == "PLAY" {
			s.wg.Go(func() { s.send(conn) })
		}
	}
}

// send writes frames of RTP, each in a write of its own as origins do.
func (s *stage) send(conn net.Conn) {
	frame := make([]byte, 4+s.size)
	frame[0], frame[4], frame[5] = '$', 2<<6, payloadMP2
	binary.BigEndian.PutUint16(frame[2:], uint16(s.size))
	tick := time.NewTicker(pace * time.Duration(s.burst))
	defer tick.Stop()
	for n := uint16(0); ; n++ {
		if int(n)%s.burst == 0 {
			select {
			case <-tick.C:
			case <-s.quit:
				return
			}
		}
		binary.BigEndian.PutUint16(frame[6:], n)
		if _, err := conn.Write(frame); err != nil {
			return
		}
	}
}

// play starts one player.
func (s *stage) play(i int) error {
	var conn net.Conn
	err := inside(clientHost, func() (err error) {
		conn, err = net.DialTimeout("tcp", netip.AddrPortFrom(gatewayClient, rtspPort).String(), endGrace)
		return err
	})
	if err != nil {
		return fmt.Errorf("rig: play over TCP: %w", err)
	}
	s.keep(conn)
	read := rtspwire.NewReader(conn, rtspwire.Limits{})
	ask := func(request string) (string, error) {
		if _, err := io.WriteString(conn, request); err != nil {
			return "", err
		}
		item, err := read.Read()
		if err != nil {
			return "", err
		}
		answer, ok := item.(*rtspwire.Response)
		if !ok || answer.Status != 200 {
			return "", fmt.Errorf("rig: play over TCP: answer %v", item)
		}
		return answer.Header.Get("Session"), nil
	}
	url := fmt.Sprintf("rtsp://gateway.test/%d", i)
	id, err := ask("SETUP " + url + " RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
	if err != nil {
		return err
	}
	if _, err = ask("PLAY " + url + " RTSP/1.0\r\nCSeq: 2\r\nSession: " + id + "\r\n\r\n"); err != nil {
		return err
	}
	s.wg.Go(func() {
		for b := make([]byte, 64<<10); ; {
			n, err := conn.Read(b)
			s.bytes.Add(uint64(n))
			if err != nil {
				return // closed
			}
		}
	})
	return nil
}

func (s *stage) close() {
	close(s.quit)
	_ = s.listener.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
