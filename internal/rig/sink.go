//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ring that the kernel writes the first bytes of each packet to (packet(7), TPACKET_V2). The kernel stamps the time
// when the gateway has handed the packet over, so that neither the sink's own delay counts nor how often it looks; the
// sink therefore looks once a millisecond and costs next to nothing.
const (
	frameSize  = 256
	frameCount = 1 << 17
	blockSize  = 1 << 20
	snapLength = 96
	lookEvery  = time.Millisecond
)

// sink counts what comes to the client.
type sink struct {
	fd    int
	ring  []byte
	ssrc  uint32
	size  int // payload, to take apart what came as one train
	quit  atomic.Bool
	got   atomic.Uint64
	next  []uint32 // the number after the highest, per flow
	order uint64   // packets that came after a later one of their flow
	delay histogram
}

// newSink opens the tap in the client's namespace and has the client itself drop what comes to viewers: nobody is there.
func newSink(l load, ssrc uint32) (*sink, error) {
	s := &sink{ssrc: ssrc, size: l.Size, next: make([]uint32, l.Flows)}
	if err := inside(clientHost, s.open); err != nil {
		return nil, fmt.Errorf("rig: open sink: %w", err)
	}
	return s, nil
}

func (s *sink) open() (err error) {
	if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return err
	}
	filter := mediaFilter()
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err = unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return err
	}
	req := unix.TpacketReq{Block_size: blockSize, Block_nr: frameCount * frameSize / blockSize, Frame_size: frameSize, Frame_nr: frameCount}
	if err = unix.SetsockoptTpacketReq(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return err
	}
	if s.ring, err = unix.Mmap(s.fd, 0, frameCount*frameSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return err
	}
	var ifr *unix.Ifreq
	if ifr, err = unix.NewIfreq("eth0"); err != nil {
		return err
	}
	if err = unix.IoctlIfreq(s.fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return err
	}
	return unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: swap(unix.ETH_P_ALL), Ifindex: int(ifr.Uint32())})
}

func swap(v uint16) uint16 { return v<<8 | v>>8 }

// mediaFilter lets the beginning of each UDP packet through that was not sent by this host.
func mediaFilter() []unix.SockFilter {
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0xfffff000 + 4}, // SKF_AD_OFF + SKF_AD_PKTTYPE
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.PACKET_OUTGOING, Jt: 3},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9}, // protocol of IPv4
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.IPPROTO_UDP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: snapLength},
		{Code: unix.BPF_RET | unix.BPF_K},
	}
}

// run counts until quit.
func (s *sink) run() error {
	runtime.LockOSThread()
	if err := pin(0, trafficCore); err != nil {
		return err
	}
	at := 0
	for !s.quit.Load() {
		for {
			frame := s.ring[at*frameSize : (at+1)*frameSize]
			status := (*uint32)(unsafe.Pointer(&frame[0]))
			if atomic.LoadUint32(status)&unix.TP_STATUS_USER == 0 {
				break
			}
			s.take(frame)
			atomic.StoreUint32(status, unix.TP_STATUS_KERNEL)
			at = (at + 1) % frameCount
		}
		nap(lookEvery)
	}
	return nil
}

// take counts one frame of the ring.
func (s *sink) take(frame []byte) {
	h := (*unix.Tpacket2Hdr)(unsafe.Pointer(&frame[0]))
	ip := frame[h.Net:][:min(h.Snaplen, snapLength)]
	if len(ip) < 20 {
		return
	}
	udp := ip[min(int(ip[0]&15)*4, len(ip)):]
	if len(udp) < 8+headerSize+channelHeader {
		return
	}
	rtp := udp[8:]
	if rtp[0]>>6 == 1 { // TURN's ChannelData (RFC 8656, section 12.4)
		rtp = rtp[channelHeader:]
	}
	flow := binary.BigEndian.Uint32(rtp[8:]) - s.ssrc
	if rtp[0] != 2<<6 || rtp[1] != payloadMP2 || flow >= uint32(len(s.next)) {
		return
	}
	n := binary.BigEndian.Uint32(rtp[numberAt:])
	if n < primes {
		return
	}
	s.got.Add(1)
	if n < s.next[flow] {
		s.order++
	} else {
		s.next[flow] = n + 1
	}
	s.delay.add(int64(h.Sec)*1e9 + int64(h.Nsec) - int64(binary.BigEndian.Uint64(rtp[sentAt:])))
}

// channelHeader is the length of ChannelData's header.
const channelHeader = 4

// lost is how many packets the kernel could not write to the ring, since it was last asked: no fault of a relay.
func (s *sink) lost() (uint32, error) {
	st, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("rig: read statistics of the sink: %w", err)
	}
	return st.Drops, nil
}

func (s *sink) close() {
	_ = unix.Munmap(s.ring)
	_ = unix.Close(s.fd)
}

// histogram counts durations in ns: in 64 steps per power of two, so within 1.6 percent.
type histogram struct {
	n     uint64
	steps [64 * 64]uint64
}

func (h *histogram) add(ns int64) {
	h.n++
	h.steps[step(uint64(max(ns, 0)))]++
}

func step(v uint64) int {
	if v < 64 {
		return int(v)
	}
	shift := bits.Len64(v) - 7
	return (shift+1)*64 + int(v>>shift) - 64
}

// value is the least duration of a step.
func value(step int) int64 {
	if step < 64 {
		return int64(step)
	}
	return int64(step%64+64) << (step/64 - 1)
}

// quantile is the duration that the share q (0 to 1) of all stayed below, 0 if there were none.
func (h *histogram) quantile(q float64) time.Duration {
	want, sum := uint64(q*float64(h.n)), uint64(0)
	for i, c := range h.steps {
		if sum += c; sum > want {
			return time.Duration(value(i))
		}
	}
	return 0
}
