// Package balancer chooses the node that serves a session and keeps count of who holds it.
//
// What it is: pools of nodes, the policies that choose among them, the leases that sessions hold, and the verdicts
// (a monitor's and those of the sessions' own connects) that take a node out and bring it back.
//
// What it owns and who ends it: a [Pool] owns its table of nodes; it has no goroutine until [Pool.Run], which starts
// one prober per node and monitored service and waits for all of them when its context ends. A [Lease] belongs to the session that
// acquired it, which must release it; releasing twice is harmless.
//
// What it must not know: any protocol, any socket. A [Monitor] is a function handed in by gateway; the services a
// node offers are only names of ports, each with a health of its own. Of a URL it knows what its path is, to hash it.
//
// How it is tested: tables beside the code; rise, fall, stagger and pauses in a testing/synctest bubble, where time is
// exact; leases and reloads by many goroutines under -race; goleak after each Run.
package balancer
