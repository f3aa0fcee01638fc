//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// deferMaxFile is how many packet buffers a core keeps for the core that has allocated them, since Linux 6.0. Whoever
// receives a datagram there (udp_recvmsg) hands its buffer back, and wakes that core by an interrupt. Buffers of a network
// card are allocated on the core that receives, so nothing of it happens on a gateway. Here they are the generator's, for
// veth passes on the very buffer, and the interrupt costs a virtual machine tens of us, in the name of the relay: a tenth of
// what a packet costs, that the kernel's NAT, which receives nothing, would not have.
const deferMaxFile = "/proc/sys/net/core/skb_defer_max"

// keepBuffers has the kernel free buffers where they are received, until restore is called; text says so for the report.
// Where it is so already nothing is restored: another run may be the one that did it, and restores it.
func keepBuffers(file string) (text string, restore func() error, err error) {
	nothing := func() error { return nil }
	was, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist): // an older kernel, or a container, where one cannot do anything about it
		return "no net.core.skb_defer_max", nothing, nil
	case err != nil:
		return "", nil, fmt.Errorf("rig: read net.core.skb_defer_max: %w", err)
	case strings.TrimSpace(string(was)) == "0":
		return "net.core.skb_defer_max 0", nothing, nil
	}
	write := func(value []byte) error {
		if err := os.WriteFile(file, value, 0o644); err != nil {
			return fmt.Errorf("rig: set net.core.skb_defer_max: %w", err)
		}
		return nil
	}
	if err := write([]byte("0\n")); err != nil {
		return "", nil, err
	}
	text = fmt.Sprintf("net.core.skb_defer_max 0 (was %s)", strings.TrimSpace(string(was)))
	return text, func() error { return write(was) }, nil
}
