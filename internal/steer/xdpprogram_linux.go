package steer

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Offsets in struct xdp_md (linux/bpf.h), the context of a program at an interface.
const (
	offData    = 0
	offDataEnd = 4
	offQueue   = 16
)

// Offsets in a frame.
const (
	offEtherType = 12
	offIP        = etherSize
	offUDP4      = offIP + ipv4Size
	offUDP6      = offIP + ipv6Size
)

// passXDP is XDP_PASS: the kernel's own stack has the frame.
const passXDP = 2

// express are the instructions at an interface: into the queue's socket goes a frame to the interface's own address that
// holds UDP, whole and without options, to a port that is held, from a sender that is known. All else, what is longer than the queue has
// room for (the MTU may have grown), and what finds no socket goes its usual way.
func (g *Steering) express(mac [6]byte, room uint32, queues *ebpf.Map) asm.Instructions {
	program := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),                       // the context
		asm.LoadMem(asm.R8, asm.R6, offData, asm.Word),    // the frame
		asm.LoadMem(asm.R9, asm.R6, offDataEnd, asm.Word), // and its end
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.Add.Imm(asm.R2, offUDP4+udpSize),
		asm.JGT.Reg(asm.R2, asm.R9, passLabel),
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.Add.Imm(asm.R2, int32(room)+1),
		asm.JLE.Reg(asm.R2, asm.R9, passLabel),
		// A card that listens to everything shows frames to others too.
		asm.LoadMem(asm.R2, asm.R8, 0, asm.Word),
		asm.JNE.Imm32(asm.R2, int32(binary.NativeEndian.Uint32(mac[:])), passLabel),
		asm.LoadMem(asm.R2, asm.R8, 4, asm.Half),
		asm.JNE.Imm(asm.R2, int32(binary.NativeEndian.Uint16(mac[4:])), passLabel),
		asm.LoadMem(asm.R2, asm.R8, offEtherType, asm.Half),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.JEq.Imm(asm.R2, etherIPv6, "six"),
		asm.JNE.Imm(asm.R2, etherIPv4, passLabel),
	}
	program = append(program, express4()...)
	program = append(program, express6()...)
	program = append(program,
		asm.StoreMem(asm.R10, keyHeld+16, asm.R7, asm.Word).WithSymbol("keyed"),
		asm.JLT.Imm(asm.R7, int32(g.spec.Lo), passLabel),
		asm.JGT.Imm(asm.R7, int32(g.spec.Hi), passLabel))
	program = append(program, findPort(g.ports, g.held, g.spec.Lo)...)
	program = append(program, checkSender(g.spec.Senders, g.senders)...)
	return append(program,
		asm.LoadMapPtr(asm.R1, queues.FD()),
		asm.LoadMem(asm.R2, asm.R6, offQueue, asm.Word),
		asm.Mov.Imm(asm.R3, passXDP), // if there is no socket for the queue
		asm.FnRedirectMap.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, passXDP).WithSymbol(passLabel),
		asm.Return(),
	)
}

// express4 reads IPv4: the keys onto the stack, the port into R7.
func express4() asm.Instructions {
	const plain, anyFragment = 0x45, 0x3fff // no options; RFC 791, section 3.1: MF, and the offset
	program := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R8, offIP, asm.Byte),
		asm.JNE.Imm(asm.R2, plain, passLabel),
		asm.LoadMem(asm.R2, asm.R8, offIP+6, asm.Half),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.And.Imm(asm.R2, anyFragment),
		asm.JNE.Imm(asm.R2, 0, passLabel),
		asm.LoadMem(asm.R2, asm.R8, offIP+9, asm.Byte),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_UDP, passLabel),
		asm.LoadMem(asm.R7, asm.R8, offUDP4+2, asm.Half),
		asm.HostTo(asm.BE, asm.R7, asm.Half),
	}
	program = append(program, keyOf4(keyHeld, asm.R8, offIP+16)...)
	program = append(program, keyOf4(keySender, asm.R8, offIP+12)...)
	return append(program, asm.Ja.Label("keyed"))
}

// express6 reads IPv6 without extension headers.
func express6() asm.Instructions {
	program := asm.Instructions{
		asm.Mov.Reg(asm.R2, asm.R8).WithSymbol("six"),
		asm.Add.Imm(asm.R2, offUDP6+udpSize),
		asm.JGT.Reg(asm.R2, asm.R9, passLabel),
		asm.LoadMem(asm.R2, asm.R8, offIP+6, asm.Byte),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_UDP, passLabel),
		asm.LoadMem(asm.R7, asm.R8, offUDP6+2, asm.Half),
		asm.HostTo(asm.BE, asm.R7, asm.Half),
	}
	program = append(program, keyOf6(keyHeld, asm.R8, offIP+24)...)
	return append(program, keyOf6(keySender, asm.R8, offIP+8)...)
}
