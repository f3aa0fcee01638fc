// Package steer leads the datagrams of a range of UDP ports to few sockets, or takes them from network interfaces.
//
// # What it is
//
// An accelerator of the relay's fast engine. Each flow binds a socket of its own, and a relay that reads them one by one
// pays for a wake-up and a system call for nearly each packet. A program of the kernel's (BPF, type SK_LOOKUP, since
// Linux 5.9) that runs when the kernel looks for the socket of a datagram chooses a socket of the loop's instead, which
// then reads the packets of many flows at once. The port that a datagram was sent to is in its control message
// (IP_RECVORIGDSTADDR, IPV6_RECVORIGDSTADDR).
//
// What is led away is little: UDP, a port of the range, an address and port that Hold named, a sender that Spec.Senders
// names. Everything else finds the socket that it always found, so that a stranger who floods a port fills that flow's
// buffer and not the one that all share. A connected socket wins over the program (the kernel does not ask it then), and
// so does a program of another process that was attached earlier and has chosen.
//
// At interfaces that Spec.Interfaces names, another program (XDP) does the same before the kernel's own stack has the frame:
// into the Queue of the receive queue (a socket of AF_XDP), which shares memory with the kernel. What it does not take goes
// on, and may be led to a socket as above. What the kernel would have checked of a datagram, datagram.go checks.
//
// The programs are made of the few instructions in program_linux.go and xdpprogram_linux.go when they are wanted; no compiler, no
// object file.
//
// # What it owns and who ends it
//
// Two or three maps, the program, and its link to the network namespace of the sockets; of each interface a map, a program and
// its link, and the queues with their memory. Close ends them. A process that is
// killed leaves nothing: all of it goes with its descriptors, and nothing is pinned. The sockets stay the caller's: the
// map notes them, and the kernel forgets them when they are closed.
//
// # What it must not know
//
// Flows, protocols, the configuration. It changes nothing else of the machine's network.
//
// # How it is tested
//
// With real datagrams in network namespaces of its own, as root: both families, ports and senders of others, several
// loops, two of them at once, release, close, a process that is killed; over a cable between two namespaces what an interface
// takes and what it leaves. What is said without privileges, by a process that gives its own up. Reading of frames against
// another program's writing of them, and fuzzed.
package steer
