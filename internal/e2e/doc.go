// Package e2e has the tests that drive the whole gateway: the program itself
// as a process where players and operators are looked at, an in-process
// gateway where goroutines, descriptors, ports and leases are counted.
//
// What it owns: nothing outlives a test; internal/lab ends what it starts.
//
// What it must not know: the insides of any room. A test speaks RTSP, reads
// session records and asks the operating system.
//
// How it is tested: internal/lab proves the bed without a gateway.
package e2e
