// Package archtest holds the house to its plan: which room may import which, what things are called, how long files and
// functions may be, and that every path our papers name is there.
//
// What it is: tests only. Each check is a pure function from what was read to a list of faults, and a test that feeds it
// this repository; ARCHITECTURE.md has the plan in words.
//
// What it owns and who ends it: nothing outlives a test.
//
// What it must not know: how any room works. It reads names, imports and lengths.
//
// How it is tested: each check is given made-up bad input first and must find the fault, so that no check is green
// because it looks at nothing.
package archtest
