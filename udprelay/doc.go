// Package udprelay relays media over UDP between a client and an origin: RTP and RTCP (RFC 3550), and the Data packets
// of MMS ([MS-MMSP] 2.2.2).
//
// # What it is
//
// A Relay hands out flows. A Flow is the relay of one media: two legs, each a local port pair here and a peer there.
// Datagrams go from one leg to the other unchanged, in order and at once: RTP to RTP, RTCP to RTCP, both ways. The
// client's leg is one pair shared by all flows (5004 and 5005, as Windows Media Services has it) or a pair of its own
// from a range; the origin's leg is always a held even/odd pair.
//
// A flow of MMS has a single port on each leg, the even one of a pair whose odd one stays unbound. Media goes to the
// client only; of what a client sends, resend requests alone go to the origin, with the ID that the origin knows it by
// and at a limited rate. They come to the client port or to a port that all flows share (OpenResend), and the flow is
// found by the sender's address and the ID.
//
// Only the negotiated peer is heard. A client behind a NAT may once be latched to another port of its address, and
// again only when RTCP from there names an SSRC of the flow; an origin that says its ports wrongly is latched the same
// way. Another address never gets in. What is not passed on is counted by DropReason.
//
// # What it owns and who ends it
//
// The sockets. The plain engine has one goroutine for each: four in a flow with two pairs of its own, two in a flow behind a shared pair,
// half as many in a flow of MMS, two in a shared pair, one in a resend port, and one while a closed flow lingers. Each reading goroutine owns a buffer of 64 KiB, larger
// than any datagram. The fast engine (Linux) takes the descriptors over and reads them in a few event loops, each a locked
// thread with one buffer. With Config.Steer each loop has a socket of each family that receives for all flows; their own are read as well, and
// send: a flow's sockets are one loop's, so that its order is kept, and a loop sends at the end of
// each wake-up, in few calls, what it has read; datagrams of one flow that follow one another as one train. A Conn
// without a descriptor keeps its goroutine. The loops start with the first socket and end with Close. The session that reserved a flow closes it; its ports are read on for Config.Linger, then closed
// and freed. Relay.Close ends all and waits for all.
//
// On the packet path a flow shares no lock with another: where peers are is an immutable value behind an atomic
// pointer, figures are atomics, the shared pair's table is copied on write. The one exception is not ours: flows that
// send from a shared pair meet at that socket, in the runtime's and the kernel's own locks.
//
// Lock order: relay, flow, table of a shared pair or resend port. None is held over a blocking call.
//
// # What it must not know
//
// Control protocols (of MMS it reads the two packets in mms.go, as of RTP the headers in rtp.go and rtcp.go),
// configuration files, privileges. Sockets come from Config.Listen, the time from Config.Now. How
// datagrams are moved is behind Conn, socket.decide and (*Flow).route, which decide without I/O, so that both engines share
// them.
//
// # How it is tested
//
// The decisions (bearings.judge, host.owner, both meters, the RTCP and the MMS reader) by tables and fuzz tests; forwarding, latching
// and its abuse with real sockets on loopback; lingering with testing/synctest and a fake Conn; 0 allocations per
// packet; no goroutine and no descriptor left behind. MEDIAGATE_ENGINE=plain or fast runs all of it with one engine.
package udprelay
