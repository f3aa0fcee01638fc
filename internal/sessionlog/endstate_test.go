package sessionlog

import "testing"

func TestEndState(t *testing.T) {
	for _, tc := range []struct {
		name    string
		e       EndState
		want    string
		valid   bool
		explain string
	}{
		{"zero", EndState{}, "-A", true, "ended properly after it was accepted"},
		{"client while playing", EndState{WhoClient, PhasePlay}, "CP", true, "ended by the client while it played"},
		{"origin silent", EndState{WhoOriginTimeout, PhaseDescribe}, "oD", true, "ended because the origin was silent while it was described"},
		{"unknown who", EndState{'X', PhaseTeardown}, "?T", false, "when it was torn down"},
		{"unknown phase", EndState{WhoKilled, 'X'}, "K?", false, "killed by an operator"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.e.String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if got := tc.e.Valid(); got != tc.valid {
				t.Errorf("valid %v", got)
			}
			if got := tc.e.Explain(); got != tc.explain {
				t.Errorf("explained as %q, want %q", got, tc.explain)
			}
			var back EndState
			if err := back.UnmarshalText([]byte(tc.want)); (err == nil) != tc.valid {
				t.Errorf("read back: %v", err)
			} else if tc.valid && back.String() != tc.want {
				t.Errorf("read back as %v", back)
			}
		})
	}
}

func TestEndStateUnmarshalFaults(t *testing.T) {
	for _, s := range []string{"", "C", "CPP", "\x00A", "-\x00", "PC"} {
		var e EndState
		if err := e.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%q was read as %v", s, e)
		}
	}
}
