// Package rtsp terminates one player's RTSP conversation and carries it on with an origin chosen from a pool.
//
// What it is. A gateway for RTSP/1.0 (RFC 2326) with the Windows Media extensions of [MS-RTSP]. It reads what the
// client says, decides whether it is legal now, edits a copy of it (addresses, ports, channels, session IDs, CSeq) and
// writes that to the origin; answers come back the same way. Media over UDP runs through package udprelay, media
// interleaved in the TCP connection runs from pump to pump. The wire itself is rtsp/rtspwire.
//
// What it owns and who ends it. A Proxy owns its client connections, origin connections, flows and leases. A session (one client's
// conversation) has one owner goroutine and one pump goroutine for each connection. It ends when the client tears down
// or goes away, when the origin goes away, at a limit, or by Shutdown and Close; whatever ended it is a value (an end)
// that becomes the end state of the session record.
//
// What it must not know. Sockets of media (udprelay binds them), health of nodes (balancer judges it), configuration
// files, kernel rules, MMS. It is given Dial and Record as functions.
//
// How it is tested. Pure tables for the state machine, the field table and the rewriting; dialogs in testdata/dialogs
// (four lanes of one conversation, run through the real session); hostile input in testdata/torture; FuzzSession; real
// players in internal/e2e.
package rtsp
