package steer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestLacking(t *testing.T) {
	const admin, bpf, sys = 1 << unix.CAP_NET_ADMIN, 1 << unix.CAP_BPF, 1 << unix.CAP_SYS_ADMIN
	for _, tc := range []struct {
		name string
		has  uint64
		want []string
	}{
		{"none", 0, []string{"CAP_NET_ADMIN", "CAP_BPF"}},
		{"only the network", admin, []string{"CAP_BPF"}},
		{"only BPF", bpf, []string{"CAP_NET_ADMIN"}},
		{"both", admin | bpf, nil},
		{"before Linux 5.8", admin | sys, nil},
		{"of no use here", 1 << unix.CAP_NET_RAW, []string{"CAP_NET_ADMIN", "CAP_BPF"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, lackingOf(tc.has)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOlder(t *testing.T) {
	for _, tc := range []struct {
		version string
		want    bool
	}{
		{"5.8.18", true}, {"5.9.0-rc1", false}, {"4.19.0-27-amd64", true}, {"6.1.0-13-amd64", false}, {"5.10.0", false}, {"", false}, {"x", false},
	} {
		if got := older(tc.version, 5, 9); got != tc.want {
			t.Errorf("older(%q): %v", tc.version, got)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		name        string
		err         error
		unsupported bool
		want        string
	}{
		{"no privileges", fmt.Errorf("map create: %w (guess)", unix.EPERM), true, "make map: operation not permitted"},
		{"no BPF", unix.ENOSYS, true, "the kernel has no BPF"},
		{"no such map", fmt.Errorf("map: %w", ebpf.ErrNotSupported), true, "the kernel has no BPF"},
		{"a fault", unix.EBADF, false, "make map: bad file descriptor"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := explain("make map", tc.err)
			if errors.Is(got, ErrUnsupported) != tc.unsupported || !errors.Is(got, errors.Unwrap(tc.err)) && !errors.Is(got, tc.err) || !strings.Contains(got.Error(), tc.want) {
				t.Errorf("%v, want %q", got, tc.want)
			}
		})
	}
	if got := refused([]string{"CAP_BPF"}); got != "the process lacks CAP_BPF" {
		t.Errorf("refused: %q", got)
	}
	if got := refused(nil); !strings.Contains(got, "seccomp") {
		t.Errorf("refused without a lack: %q", got)
	}
}
