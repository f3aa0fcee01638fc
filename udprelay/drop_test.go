package udprelay

import "testing"

func TestDropReasonNames(t *testing.T) {
	seen := make(map[string]bool)
	for r := range dropReasons {
		if n := r.String(); n == "" || seen[n] {
			t.Errorf("reason %d is named %q", r, n)
		} else {
			seen[n] = true
		}
	}
	if got := dropReasons.String(); got != "reason-17" {
		t.Errorf("unknown reason: %q", got)
	}
}
