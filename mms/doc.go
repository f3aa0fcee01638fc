// Package mms terminates one player's MMS conversation and carries it on with an origin chosen from a pool.
//
// What it is. A gateway for the Microsoft Media Server protocol ([MS-MMSP]). It reads what the player says, judges it,
// edits a copy of it where names of the other side would stand (host and VIA of Connect, the funnel of ConnectFunnel)
// and writes that to the origin; answers come back the same way, each in a write of its own. Media over UDP runs
// through package udprelay, media in the TCP connection from pump to pump. It keeps what the player has said while
// it sets up, and can say it again to another origin: that is how a node that fails is replaced, a redirect is followed,
// and a node is chosen by path. The wire itself is mms/mmswire.
//
// What it owns and who ends it. A Proxy owns its client connections, origin connections, flows and leases. A session
// has one owner goroutine and one pump goroutine for each connection. It ends when the player closes the file or goes
// away, when the origin goes away, at a limit, or by Shutdown and Close; whatever ended it is a value (an end) that
// becomes the end state of the session record.
//
// What it must not know. Sockets of media (udprelay binds them), health of nodes (balancer judges it), configuration
// files, kernel rules, RTSP. It is given Dial, Route and Record as functions.
//
// How it is tested. Pure tables for the messages, the funnel and the rewriting; dialogs in testdata/dialogs (four lanes
// of one conversation, run through the real session); hostile input in testdata/torture; FuzzSession; real players in
// internal/e2e.
package mms
