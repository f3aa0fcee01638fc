// Package sessionlog keeps the record of a session: what it was, what went through it, and who ended it in which phase.
//
// What it is: the [Record] with its fixed, versioned schema (docs/sessionlog.md), the two-letter [EndState], and the
// [Writer] that appends one JSON line per record to a file or to standard output.
//
// What it owns and who ends it: a Writer owns one goroutine and one open file; [Writer.Close] ends both. A Record
// belongs to its session and may be used again once [Writer.Write] has returned.
//
// What it must not know: any protocol, and how a session ends; the session computes its end state from a typed cause
// and hands in the finished record.
//
// How it is tested: records against golden lines in testdata; the schema against docs/sessionlog.md by reflection; the
// Writer against writers that fail, stall and tear lines, against /dev/full and against a closed standard output.
package sessionlog
