//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A request that gets no answer is sent again, so often, after this long.
const (
	exchangeTries = 30
	exchangeWait  = 500 * time.Millisecond
)

// asker sends requests from a UDP socket inside a host and waits for their answers.
type asker struct{ fd int }

// newAsker makes the socket, bound to an address if that is valid.
func newAsker(host string, local, remote netip.AddrPort) (*asker, error) {
	a := &asker{fd: -1}
	err := inside(host, func() (err error) {
		a, err = openAsker(local, remote)
		return err
	})
	return a, err
}

// openAsker is newAsker on a thread that is in the host already.
func openAsker(local, remote netip.AddrPort) (*asker, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("rig: open control socket: %w", err)
	}
	tv := unix.NsecToTimeval(int64(exchangeWait))
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	if err == nil && local.IsValid() {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: local.Addr().As4(), Port: int(local.Port())})
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: remote.Addr().As4(), Port: int(remote.Port())})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rig: open control socket to %v: %w", remote, err), unix.Close(fd))
	}
	return &asker{fd: fd}, nil
}

// ask sends a request until an answer comes that ours says is one to it.
func (a *asker) ask(request []byte, ours func([]byte) bool) ([]byte, error) {
	buf := make([]byte, 64<<10)
	var last error
	for range exchangeTries {
		if _, err := unix.Write(a.fd, request); err != nil {
			// The program is not listening yet (ECONNREFUSED).
			last = err
			nap(exchangeWait)
			continue
		}
		for {
			n, err := unix.Read(a.fd, buf)
			if err != nil {
				last = err
				if errors.Is(err, unix.ECONNREFUSED) {
					nap(exchangeWait)
				}
				break
			}
			if ours(buf[:n]) {
				return buf[:n], nil
			}
		}
	}
	return nil, fmt.Errorf("rig: ask relay: no answer: %w", last)
}

func (a *asker) close() { _ = unix.Close(a.fd) }
