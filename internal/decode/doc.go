// Package decode reads a packet capture and tells what RTSP, MMS and Windows Media HTTP conversations are in it, which
// media belongs to which of them, and what is wrong.
//
// What it is: a way from packets to findings, in one pass. A capture file (pcap.go, pcapng.go) gives packets, link.go,
// ip.go and fragment.go the datagrams and segments in them, tcp.go and stream.go the bytes of each connection in order,
// with the places where the capture lacks some. sniff.go decides by content, on any port, which protocol a connection
// speaks; rtsp.go, tunnel.go, mms.go and wmsp.go read it message by message. udp.go counts the media, join.go gives it
// to the SETUP or funnel that asked for it, and verdict.go says what is wrong. text.go prints it.
//
// What it owns and who ends it: a call of Read owns all that it remembers, no goroutine and no file, and lets it go when
// it returns; the Report belongs to the caller.
//
// What it must not know: sockets, sessions, configuration, and how the gateway works. It knows only what is on the wire.
//
// A capture is hostile data: everything that a packet can make grow has a bound in Limits, and what a bound left out is
// said in the report. No length that the file names is allocated before its bytes are there. All texts of the report are
// free of control characters, so that no capture can speak to a terminal; passwords and signatures are left out.
//
// How it is tested: by captures made by tcpdump of players and servers that we did not write (testdata/pcap), decoded to
// golden texts and compared with tshark; by captures that the tests build packet by packet; and by fuzzing.
package decode
