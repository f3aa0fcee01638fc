// Package gateway builds everything from a configuration, starts it, drains it and stops it.
//
// What it is. The composer: it makes the pools, the relay, the session log and one protocol proxy for each virtual
// server, hands them to each other as functions and values, and keeps the order of start and stop: session log, relay,
// listeners, pools, proxies; in reverse at the end.
//
// What it owns and who ends it. A Gateway owns all of these. Shutdown drains it, Close ends it; Run returns when
// everything has ended.
//
// What it must not know. A byte of any protocol, but the methods that a tunnel in HTTP begins with: it does not import rtsp/rtspwire nor mms/mmswire; it hands limits over as numbers.
//
// How it is tested. Here with real sockets on loopback; end to end with players that we did not write in internal/e2e.
package gateway
