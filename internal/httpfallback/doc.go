// Package httpfallback carries Windows Media HTTP streaming ([MS-WMSP]) and ordinary HTTP to the nodes of a pool: the last
// step of a player's ladder.
//
// What it is. A reverse proxy on net/http and httputil.ReverseProxy. It sees to it that all requests of one player meet one
// node, on however many connections they come (affinity.go), that a node which does not serve is replaced before the
// player has seen anything (forward.go), that media is neither held back nor changed nor given another framing
// (exchange.go, response.go), that no node's address reaches a player (redirect.go), and that what a player did becomes
// one session record (session.go, end.go). It writes announcements (announce.go). docs/protocol/http.md has the tables.
//
// What it owns and who ends it. A Proxy owns its client connections, for each of them a Transport with its origin
// connections, a table of players, and sessions with their leases. net/http has one goroutine for each client connection;
// a session has none, only a timer. A connection ends when the player or its origin closes, when the player takes nothing
// any more, or by Shutdown and Close; a session ends some time after its last request.
//
// What it must not know. RTSP (the gateway tells tunnels apart before a connection comes here) and MMS, health of nodes
// (balancer judges it), configuration files, kernel rules, certificates. It is given Dial, Route, Announce, Viewer and
// Record as functions.
//
// How it is tested. Pure tables for the tap, Pragma, affinity and the player's log; network tests against origins that
// answer byte for byte, with tables of hostile requests, of failing nodes, of redirects and of NTLM handshakes; FuzzTap;
// benchmarks of the response path; real players in internal/e2e.
package httpfallback
