package config

import (
	"slices"
	"strings"
)

// laterKeys are keys that belong to mediagate and not yet to this version, by pattern; each is told apart from a slip
// of the pen, so that a file made for a later version is understood.
var laterKeys = map[string]string{
	"cluster": "clustering is",
}

// laterPolicies are values of the same kind.
var laterPolicies = []string{"least-bandwidth"}

// pattern returns a path without the numbers of its list entries.
func pattern(path string) string {
	var b strings.Builder
	inside := false
	for _, r := range path {
		if r == ']' {
			inside = false
		}
		if !inside {
			b.WriteRune(r)
		}
		if r == '[' {
			inside = true
		}
	}
	return b.String()
}

// nearest returns the known key that a slip of the pen was meant to be; if none is near, near is false and the keys are
// listed.
func nearest(key string, fields map[string]int) (hint string, near bool) {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	best := max(2, len(key)/3) + 1
	for _, k := range keys {
		if len(key) > 64 {
			break // no key of ours is near that, and the distance costs the product of the lengths
		}
		if d := distance(strings.ToLower(key), k); d < best && d < len(k) {
			hint, best = k, d
		}
	}
	if hint != "" {
		return hint, true
	}
	return strings.Join(keys, ", "), false
}

// distance is the number of single-letter edits between two words (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
