package steer

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Offsets in struct bpf_sk_lookup (linux/bpf.h), which the kernel hands to the program. Addresses are in network order,
// the local port is in the machine's.
const (
	offFamily   = 8
	offProtocol = 12
	offRemote4  = 16
	offRemote6  = 20
	offLocal4   = 40
	offLocal6   = 44
	offPort     = 60
)

// Offsets on the program's stack, below its frame pointer: the keys of the three maps.
const (
	keyHeld   = -24 // 16 bytes of address, 4 of port
	keySender = -40 // 16 bytes of address
	keySocket = -44 // 4 bytes of number
	keyPort   = -48 // 4 bytes of number in the array of ports
)

const (
	pass        = 1 // SK_PASS: go on with what was chosen, or with the usual search
	noReuseport = 2 // BPF_SK_LOOKUP_F_NO_REUSEPORT: this very socket, not one of its group
	passLabel   = "pass"
)

// instructions are the program: lead to its socket what is UDP, to a port from lo to hi, held, and from a sender that is
// known; leave the rest alone. It returns SK_PASS whatever happens: it never loses a datagram. The kernel asks it twice for
// each datagram, when it looks for trains and when it delivers.
func (g *Steering) instructions() asm.Instructions {
	lo, hi := g.spec.Lo, g.spec.Hi
	program := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1), // the context
		asm.LoadMem(asm.R2, asm.R6, offProtocol, asm.Word),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_UDP, passLabel),
		asm.LoadMem(asm.R7, asm.R6, offPort, asm.Word),
		asm.JLT.Imm(asm.R7, int32(lo), passLabel),
		asm.JGT.Imm(asm.R7, int32(hi), passLabel),
	}
	program = append(program, keys()...)
	program = append(program, findPort(g.ports, g.held, lo)...)
	program = append(program, checkSender(g.spec.Senders, g.senders)...)
	program = append(program, lookUp(g.sockets, keySocket)...)
	return append(program,
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Imm(asm.R3, noReuseport),
		asm.FnSkAssign.Call(), // it refuses a socket that is of no use, which is then as if none had been found
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(), // the look-up has counted a use of it
		asm.Mov.Imm(asm.R0, pass).WithSymbol(passLabel),
		asm.Return(),
	)
}

// findPort writes the number of the socket for an address and port onto the stack. The kernel has array look-ups in line;
// the first address of a port is there, others are in the hash.
func findPort(ports, held *ebpf.Map, lo uint16) asm.Instructions {
	program := asm.Instructions{
		asm.Mov.Reg(asm.R3, asm.R7),
		asm.Sub.Imm(asm.R3, int32(lo)),
		asm.StoreMem(asm.R10, keyPort, asm.R3, asm.Word),
	}
	program = append(program, lookUp(ports, keyPort)...)
	program = append(program,
		asm.LoadMem(asm.R3, asm.R0, slotNumber, asm.Word),
		asm.JEq.Imm(asm.R3, 0, passLabel))
	for i := int16(0); i < 16; i += 4 {
		program = append(program,
			asm.LoadMem(asm.R4, asm.R0, i, asm.Word),
			asm.LoadMem(asm.R5, asm.R10, keyHeld+i, asm.Word),
			asm.JNE.Reg(asm.R4, asm.R5, "hash"))
	}
	program = append(program, asm.Sub.Imm(asm.R3, 1), asm.Ja.Label("found"))
	hash := lookUp(held, keyHeld)
	hash[0] = hash[0].WithSymbol("hash")
	program = append(program, hash...)
	return append(program,
		asm.LoadMem(asm.R3, asm.R0, 0, asm.Word),
		asm.StoreMem(asm.R10, keySocket, asm.R3, asm.Word).WithSymbol("found"))
}

// checkSender passes what is from an unknown sender. Few are compared with one by one, more are looked up.
func checkSender(senders []netip.Addr, more *ebpf.Map) asm.Instructions {
	switch {
	case senders == nil:
		return nil
	case more != nil:
		return lookUp(more, keySender)
	}
	var program asm.Instructions
	for n, a := range senders {
		words, next := a.As16(), fmt.Sprintf("sender-%d", n+1)
		for i := int16(12); i >= 0; i -= 4 { // the last word tells most
			first := asm.LoadMem(asm.R3, asm.R10, keySender+i, asm.Word)
			if i == 12 && n > 0 {
				first = first.WithSymbol(fmt.Sprintf("sender-%d", n))
			}
			word := int32(binary.NativeEndian.Uint32(words[i:]))
			program = append(program, first, asm.JNE.Imm32(asm.R3, word, next))
		}
		program = append(program, asm.Ja.Label("known"))
	}
	last := fmt.Sprintf("sender-%d", len(senders))
	out := asm.Ja.Label(passLabel)
	if len(senders) > 0 {
		out = out.WithSymbol(last)
	}
	return append(program, out, asm.Mov.Imm(asm.R3, 0).WithSymbol("known"))
}

// keys writes the keys of ports and senders onto the stack. The port is in R7.
func keys() asm.Instructions {
	list := asm.Instructions{
		asm.StoreMem(asm.R10, keyHeld+16, asm.R7, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, offFamily, asm.Word),
		asm.JEq.Imm(asm.R2, unix.AF_INET6, "six"),
		asm.JNE.Imm(asm.R2, unix.AF_INET, passLabel),
	}
	list = append(list, keyOf4(keyHeld, asm.R6, offLocal4)...)
	list = append(list, keyOf4(keySender, asm.R6, offRemote4)...)
	list = append(list, asm.Ja.Label("keyed"))
	sixes := append(keyOf6(keyHeld, asm.R6, offLocal6), keyOf6(keySender, asm.R6, offRemote6)...)
	sixes[0] = sixes[0].WithSymbol("six")
	list = append(list, sixes...)
	return append(list, asm.Mov.Imm(asm.R3, 0).WithSymbol("keyed"))
}

// keyOf4 writes an address of IPv4, which lies at an offset from a register, as a key: mapped (RFC 4291, section 2.5.5.2).
func keyOf4(key int16, base asm.Register, at int16) asm.Instructions {
	mapped := int32(binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff}))
	return asm.Instructions{
		asm.Mov.Imm(asm.R3, 0),
		asm.StoreMem(asm.R10, key, asm.R3, asm.DWord),
		asm.Mov.Imm(asm.R3, mapped),
		asm.StoreMem(asm.R10, key+8, asm.R3, asm.Word),
		asm.LoadMem(asm.R3, base, at, asm.Word),
		asm.StoreMem(asm.R10, key+12, asm.R3, asm.Word),
	}
}

// keyOf6 writes an address of IPv6 as a key.
func keyOf6(key int16, base asm.Register, at int16) (list asm.Instructions) {
	for i := int16(0); i < 16; i += 4 {
		list = append(list,
			asm.LoadMem(asm.R3, base, at+i, asm.Word),
			asm.StoreMem(asm.R10, key+i, asm.R3, asm.Word))
	}
	return list
}

// lookUp looks a key of the stack up in a map, into R0, and leaves the program if it is not there.
func lookUp(m *ebpf.Map, key int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, passLabel),
	}
}
