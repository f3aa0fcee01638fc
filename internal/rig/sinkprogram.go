//go:build linux

package main

import (
	"encoding/binary"
	"net/netip"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// What the program reads of a packet, as offsets: of the packet (Ethernet, IPv4 without options, UDP), and of what it
// copies to its stack, which begins with the IPv4 header. The payload of what is sent out as a train and cut by the kernel
// is not in one piece with its headers, so the program cannot read it where it lies.
const (
	packetIP     = 14
	copiedUDP    = 20
	copiedRTP    = copiedUDP + 8
	copiedLength = copiedRTP + channelHeader + headerSize
	copiedAt     = -copiedLength // from the frame pointer; a multiple of four, as loads of words must be

	ipProtocol    = 9
	ipDestination = 16
	ipPlain       = 4<<4 | 5 // version, and length of a header without options
)

// channelHeader is the length of the header of TURN's ChannelData (RFC 8656, section 12.4), which begins with the bits 01
// where RTP has 10.
const channelHeader = 4

// What the program says of a packet (TCX_PASS and TCX_DROP of linux/bpf.h).
const (
	sinkPass = 0
	sinkDrop = 2
)

// instructions are the program: count a packet of this run and drop it; drop what else is for a viewer; let the rest be.
// Where a packet goes does not matter for the count: coturn's clients are no viewers.
func (s *sink) instructions() asm.Instructions {
	program := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	program = append(program, copyPacket(copiedLength, "short")...)
	program = append(program,
		asm.LoadMem(asm.R1, asm.R10, copiedAt, asm.Byte),
		asm.JNE.Imm(asm.R1, ipPlain, "stranger"),
		asm.LoadMem(asm.R1, asm.R10, copiedAt+ipProtocol, asm.Byte),
		asm.JNE.Imm(asm.R1, unix.IPPROTO_UDP, "stranger"),
		asm.LoadMem(asm.R1, asm.R10, copiedAt+copiedRTP, asm.Byte),
		asm.RSh.Imm(asm.R1, 6),
		asm.JEq.Imm(asm.R1, 1, "channel"))
	program = append(program, loadFields(copiedAt+copiedRTP)...)
	program = append(program, asm.Ja.Label("loaded"))
	channel := loadFields(copiedAt + copiedRTP + channelHeader)
	channel[0] = channel[0].WithSymbol("channel")
	program = append(program, channel...)
	program = append(program, s.judge()...)
	program = append(program, s.countOrder()...)
	program = append(program, s.countDelay()...)
	return append(program, dropViewers()...)
}

// copyPacket copies the packet's first bytes from the IPv4 header on to the stack. The context is in R6.
func copyPacket(length int32, tooShort string) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, packetIP),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, copiedAt),
		asm.Mov.Imm(asm.R4, length),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, tooShort),
	}
}

// loadFields loads what lies at an RTP header: its first two bytes into R7, the SSRC into R8, the number into R9, the time
// into R1 and R2.
func loadFields(rtp int16) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R7, asm.R10, rtp, asm.Half),
		asm.LoadMem(asm.R8, asm.R10, rtp+8, asm.Word),
		asm.LoadMem(asm.R9, asm.R10, rtp+numberAt, asm.Word),
		asm.LoadMem(asm.R1, asm.R10, rtp+sentAt, asm.Word),
		asm.LoadMem(asm.R2, asm.R10, rtp+sentAt+4, asm.Word),
	}
}

// judge leaves for "stranger" with what is not of this run, and for "drop" with primes. It leaves the flow in R8, the
// number in R9 and the time of sending in R6.
func (s *sink) judge() asm.Instructions {
	start := int32(binary.NativeEndian.Uint16([]byte{2 << 6, payloadMP2}))
	return asm.Instructions{
		asm.JNE.Imm(asm.R7, start, "stranger").WithSymbol("loaded"),
		asm.HostTo(asm.BE, asm.R8, asm.Word),
		asm.Sub.Imm32(asm.R8, int32(s.ssrc)),
		asm.JGE.Imm(asm.R8, int32(s.flows), "stranger"),
		asm.HostTo(asm.BE, asm.R9, asm.Word),
		asm.JLT.Imm(asm.R9, primes, "drop"),
		asm.HostTo(asm.BE, asm.R1, asm.Word),
		asm.HostTo(asm.BE, asm.R2, asm.Word),
		asm.LSh.Imm(asm.R1, 32),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.Mov.Reg(asm.R6, asm.R1),
	}
}

// countOrder counts a packet that comes after a later one of its flow. The number that a flow waits for is read and written
// without a lock: all packets come on the relay's core, one after the other.
func (s *sink) countOrder() asm.Instructions {
	return asm.Instructions{
		asm.LoadMapValue(asm.R1, s.next.FD(), 0),
		asm.LSh.Imm(asm.R8, 2),
		asm.Add.Reg(asm.R1, asm.R8),
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word),
		asm.JLT.Reg(asm.R9, asm.R2, "late"),
		asm.Add.Imm(asm.R9, 1),
		asm.StoreMem(asm.R1, 0, asm.R9, asm.Word),
		asm.Ja.Label("ordered"),
		asm.LoadMapValue(asm.R1, s.order.FD(), 0).WithSymbol("late"),
		asm.Mov.Imm(asm.R2, 1),
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
	}
}

// countDelay counts the time since the packet was sent, by the clock that the generator reads (CLOCK_MONOTONIC).
func (s *sink) countDelay() asm.Instructions {
	return asm.Instructions{
		asm.FnKtimeGetNs.Call().WithSymbol("ordered"),
		asm.Sub.Reg(asm.R0, asm.R6),
		asm.JSGE.Imm(asm.R0, 0, "past"),
		asm.Mov.Imm(asm.R0, 0), // the clocks of two cores may differ by a little
		asm.RSh.Imm(asm.R0, histogramShift).WithSymbol("past"),
		asm.JLT.Imm(asm.R0, histogramSteps, "step"),
		asm.Mov.Imm(asm.R0, histogramSteps-1),
		asm.LSh.Imm(asm.R0, 3).WithSymbol("step"),
		asm.LoadMapValue(asm.R1, s.steps.FD(), 0),
		asm.Add.Reg(asm.R1, asm.R0),
		asm.Mov.Imm(asm.R2, 1),
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, sinkDrop).WithSymbol("drop"),
		asm.Return(),
	}
}

// dropViewers is what becomes of other packets. A short one was not copied: "short" copies its IPv4 header.
func dropViewers() asm.Instructions {
	net := netip.MustParsePrefix(viewersNet)
	addr, mask := net.Addr().As4(), [4]byte{}
	binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<(32-net.Bits()))
	header := copyPacket(copiedUDP, "pass")
	header[0] = header[0].WithSymbol("short")
	return append(header,
		asm.LoadMem(asm.R1, asm.R10, copiedAt, asm.Byte).WithSymbol("stranger"),
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, ipPlain>>4, "pass"),
		asm.LoadMem(asm.R1, asm.R10, copiedAt+ipDestination, asm.Word),
		asm.And.Imm32(asm.R1, int32(binary.NativeEndian.Uint32(mask[:]))),
		asm.JEq.Imm32(asm.R1, int32(binary.NativeEndian.Uint32(addr[:])), "drop"),
		asm.Mov.Imm(asm.R0, sinkPass).WithSymbol("pass"),
		asm.Return(),
	)
}
