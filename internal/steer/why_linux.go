package steer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// explain makes an error of the kernel's a sentence that says what is missing. Whatever is no matter of privileges or of
// the kernel's age stays as it is.
func explain(step string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		// The package's own guess, a limit of locked memory, is left out: newMap has tried that.
		return fmt.Errorf("%w: %s: %s: %w", ErrUnsupported, refused(lacking()), step, unix.EPERM)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w: the kernel has no BPF or hides it: %s: %w", ErrUnsupported, step, err)
	case errors.Is(err, unix.EINVAL) && older(release(), 5, 9):
		return fmt.Errorf("%w: Linux %s has no SK_LOOKUP programs, 5.9 has: %s: %w", ErrUnsupported, release(), step, err)
	}
	return fmt.Errorf("%s: %w", step, err)
}

// refused says why the kernel has refused a process that lacks these capabilities.
func refused(lacks []string) string {
	if len(lacks) > 0 {
		return "the process lacks " + strings.Join(lacks, " and ")
	}
	return "the kernel refuses it although the process has CAP_NET_ADMIN and CAP_BPF (a user namespace, a seccomp filter " +
		"or a lockdown)"
}

// lacking names the capabilities that steering needs and this process has not in effect.
func lacking() []string {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil // the kernel's own words have to do
	}
	return lackingOf(uint64(data[0].Effective) | uint64(data[1].Effective)<<32)
}

// lackingOf names what is missing in a set of capabilities. CAP_SYS_ADMIN serves for CAP_BPF, which came with Linux 5.8.
func lackingOf(effective uint64) []string {
	has := func(capability int) bool { return effective>>capability&1 == 1 }
	var lacks []string
	if !has(unix.CAP_NET_ADMIN) {
		lacks = append(lacks, "CAP_NET_ADMIN")
	}
	if !has(unix.CAP_BPF) && !has(unix.CAP_SYS_ADMIN) {
		lacks = append(lacks, "CAP_BPF")
	}
	return lacks
}

// release is the kernel's version, such as "6.1.0-13-amd64".
func release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// older tells whether a version is one before major.minor; what cannot be read is not.
func older(version string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(version, "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}
