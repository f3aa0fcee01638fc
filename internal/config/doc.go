// Package config reads mediagate's one YAML file into a plain, checked struct.
//
// What it is: the only place that knows the names, defaults, ranges and cross checks of the configuration, and what a route matches. Reading is
// strict: an unknown key is a fault, and all faults of a file are told at once, each with its line and column, the
// offending text and a sentence that says what to do.
//
// What it owns, and who ends it: nothing that lives. A Config is a value; it holds no sockets, no run-time state and no
// goroutines, and may be copied and compared by whoever asked for it.
//
// What it must not know: any other room. It does not resolve names, open ports or touch the system, so that `check`
// gives the same answer on every machine. Whether a port is free or an address is ours is found out by the gateway.
//
// How it is tested: golden files in testdata/config (valid files with the effective configuration, invalid files with
// their faults; -update rewrites them, a person reads the difference), a fuzz test (no panic; what is valid is printed
// and read back to the same value), and a test that docs/config.md names every key.
package config
