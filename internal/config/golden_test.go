package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// -update rewrites the golden files; a person reads the difference before it is committed.
var update = flag.Bool("update", false, "rewrite the golden files in testdata/config")

const goldenDir = "../../testdata/config"

// TestGoldenValid reads every valid file and compares its effective configuration.
func TestGoldenValid(t *testing.T) {
	eachFile(t, "valid", func(t *testing.T, name string, data []byte) string {
		c, err := Parse(name, data)
		if err != nil {
			t.Fatalf("faults in a valid file:\n%v", err)
		}
		out := mustYAML(t, c)
		again, err := Parse("again", out)
		if err != nil {
			t.Fatalf("the effective configuration has faults:\n%v\n%s", err, out)
		}
		if diff := cmp.Diff(c, again, compareAddr); diff != "" {
			t.Errorf("the effective configuration reads back differently (-first +again):\n%s", diff)
		}
		return string(out)
	})
}

// TestGoldenInvalid reads every invalid file and compares the list of its faults.
func TestGoldenInvalid(t *testing.T) {
	eachFile(t, "invalid", func(t *testing.T, name string, data []byte) string {
		_, err := Parse(name, data)
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("no faults in an invalid file, got %v", err)
		}
		for _, f := range faults {
			if strings.ContainsAny(f.String(), "\n\r") {
				t.Errorf("a fault of more than one line: %q", f)
			}
		}
		return faults.Error() + "\n"
	})
}

func eachFile(t *testing.T, kind string, got func(t *testing.T, name string, data []byte) string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(goldenDir, kind, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s files: %v", kind, err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", got(t, name, data))
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", path, diff)
	}
}

func mustYAML(t *testing.T, c *Config) []byte {
	t.Helper()
	out, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
