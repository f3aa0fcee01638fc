// Package doctor tests whether a machine has what a configuration needs of it.
//
// # What it is
//
// A list of tests from the inside out: privileges, addresses, ports, buffers, the machine's network, and at last what
// each node answers. Each ends in one Result: well, or a fault with its cause and what mends it.
//
// # What it owns and who ends it
//
// Nothing outlives Examine. It binds what the gateway would bind and lets it go, and it connects to nodes. Where a pool is
// transparent and no gateway runs, it makes that gateway's rules for the moment of the probe and takes them away.
//
// # What it must not know
//
// How any protocol works. It never changes what it finds.
//
// # How it is tested
//
// By the command, in network namespaces: a healthy network, and each fault in one of its own, which must be the one that
// is named.
package doctor
