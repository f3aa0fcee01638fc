package capture

import (
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"*", "", true}, {"", "a", false}, {"a*c", "abbc", true}, {"a*c", "abb", false}, {"?b*", "ab", true},
		{"*a*b", "xaxxbxb", true}, {"a", "ab", false}, {"**", "x", true}, {"?", "", false},
		{strings.Repeat("*a", 100), strings.Repeat("a", 10_000) + "b", false},
	} {
		if got := glob(tc.pattern, tc.s); got != tc.want {
			t.Errorf("%.20q, %.20q: %v", tc.pattern, tc.s, got)
		}
	}
}
