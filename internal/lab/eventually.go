package lab

import "time"

// Eventually asks done every 20 ms until it says true or the time is over, and
// gives its last answer.
func Eventually(within time.Duration, done func() bool) bool {
	deadline := time.Now().Add(within)
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}
