// Package transparent lets this machine speak to origins as its clients, and forwards nothing else.
//
// # What it is
//
// The kernel's part of IP transparency. Dial and ListenUDP make sockets that carry an address which is not ours (a
// client's), by IP_TRANSPARENT and IPV6_TRANSPARENT. Rules brings home what origins send to such an address: one table
// of nftables, a policy rule and a local route for each family. A packet comes home exactly when a socket of ours waits
// for it (the expression "socket transparent"), so that nothing has to be told to the kernel when a session begins or
// ends, and the question whether a packet belongs to a session is answered by the sockets themselves. UDP goes through
// TPROXY to the very address it was sent to; that also has the kernel join fragments first.
//
// Whatever else origins send through this machine is counted by reason, copied to us for the log (NFLOG, Watch) and
// rejected as administratively prohibited: ICMP type 3 code 13 (RFC 1812, section 5.3.9), ICMPv6 type 1 code 1 (RFC
// 4443, section 3.1). All of it happens before the kernel routes the packet, so ip_forward stays 0, and there is no
// address translation.
//
// # What it owns and who ends it
//
// The table, the policy rules and the routes that Spec names. Remove takes them away. They outlive a process that is
// killed, and so what they keep out stays out; the next Install finds them by the marks they bear (the chain that begins
// with "made_by_mediagate_", the protocol of rule and route) and puts its own in their place in one transaction. A table
// of the same name without that chain, a policy rule of the same priority and the like are somebody else's: Install
// names them and touches nothing. Sockets belong to who asked for them.
//
// # What it must not know
//
// Sessions, protocols, the configuration's form. It reads and changes no table but its own.
//
// # How it is tested
//
// In network namespaces of its own, as root: client, router, gateway, origins, both families, with ip_forward 0; a
// process that is killed; a ruleset of somebody else's that must stay equal to the byte; conflicts one by one; a golden
// dump of each kind of table in testdata. What is said without privileges, by a process that gives its own up.
package transparent
