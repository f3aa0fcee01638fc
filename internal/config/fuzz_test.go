package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compareAddr lets cmp see two addresses as one value each.
var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// FuzzParse holds that no file makes Parse panic, that a refusal is a list of faults, and that a file which is taken
// prints to one that reads back to the same value.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(goldenDir, "*", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data)
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("not a list of faults: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("Parse takes what Validate refuses: %v", err)
		}
		out := mustYAML(t, c)
		again, err := Parse("again.yaml", out)
		if err != nil {
			t.Fatalf("the effective configuration has faults: %v\n%s", err, out)
		}
		if diff := cmp.Diff(c, again, compareAddr); diff != "" {
			t.Errorf("reads back differently (-first +again):\n%s\n%s", diff, out)
		}
	})
}
