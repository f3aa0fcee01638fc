//go:build !race

package e2e

// raced tells that the race detector is in the program, whose own memory grows with what it has seen.
const raced = false
