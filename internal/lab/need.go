package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Need ends the test if one of the programs is not installed: with a failure
// where CI=true is in the environment, else with a skip that prints the
// reason. It is the one place in the project that skips a test.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			miss(t, "program "+program+" is not installed (see docs/testing-players.md)")
		}
	}
}

// NeedRoot ends the test like Need if it does not run as root, which network
// namespaces and packet captures want.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		miss(t, "network namespaces need root")
	}
}

// NeedLinux ends the test like Need if the kernel is older than a version.
func NeedLinux(t testing.TB, major, minor int) {
	t.Helper()
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	var a, b int
	if n, _ := fmt.Sscanf(string(text), "%d.%d", &a, &b); n != 2 || a < major || a == major && b < minor {
		miss(t, fmt.Sprintf("the kernel is %q and not Linux %d.%d", strings.TrimSpace(string(text)), major, minor))
	}
}

// miss is the answer to something that the machine lacks.
func miss(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("lab: " + reason)
	}
	t.Skip("lab: " + reason)
}
