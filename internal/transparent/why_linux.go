package transparent

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// explain makes a refusal of the kernel's a sentence that says what is missing; other errors only get the step.
func explain(step string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		why := "the kernel refuses it although the process has CAP_NET_ADMIN (a user namespace or a seccomp filter)"
		if !Capable() {
			why = "the process lacks CAP_NET_ADMIN: grant it with setcap, AmbientCapabilities= or setpriv, or run as root"
		}
		return fmt.Errorf("%w: %s: %s: %w", ErrUnsupported, step, why, unix.EPERM)
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ENOPROTOOPT):
		return fmt.Errorf("%w: %s: the kernel lacks it: %w", ErrUnsupported, step, err)
	}
	return fmt.Errorf("%s: %w", step, err)
}

// Capable tells whether the process has CAP_NET_ADMIN in effect, which everything in this room needs.
func Capable() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return true // the kernel's own words have to do
	}
	return data[0].Effective>>unix.CAP_NET_ADMIN&1 == 1
}
