//go:build linux

// Command rig measures relays of media against each other: ours with each of its engines, the kernel's NAT and its
// routing, rtpengine and coturn. docs/performance.md has the method and what it found; make bench runs it.
//
// What it owns: three network namespaces (origin, gateway, client) joined by veth and by nothing else, the relay that it
// started in the middle one, the generator and the sink. All of it ends with the run; the names carry the process id,
// so that what a killed run left is found and removed by the next one. One setting of the machine it changes and sets back:
// net.core.skb_defer_max, which a killed run leaves at 0.
//
// What it must not know: how a relay works inside. Ours is driven as the gateway drives it, the others by the protocols
// that they speak. No room may import it.
//
// How it is tested: the smoke test runs our engines and kernel NAT for two seconds each at a low rate, as root, and
// looks for loss and for figures that cannot be; the sink's program is run on packets made for
// it; the codecs of STUN and bencode have tables of their own.
package main
