package udprelay

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// resendPort is a port for the resend requests of all flows that were reserved with it. A player sends them to the UDP
// port with the number of the TCP port that it connected to ([MS-MMSP] 3.1.4.7).
type resendPort struct {
	table
	sock   *socket
	opened time.Time
}

// OpenResend binds a local UDP address and port for resend requests (Spec.Resend) now, so that a taken port is told at
// start and not to the first viewer. It may be called more than once; Close ends it.
func (r *Relay) OpenResend(local netip.AddrPort) error {
	_, err := r.resendPort(local)
	return err
}

// resendPort is the port at an address, bound if it is not yet.
func (r *Relay) resendPort(local netip.AddrPort) (*resendPort, error) {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	if !local.IsValid() || local.Port() == 0 {
		return nil, fmt.Errorf("udprelay: open resend port %v: not an address and a port", local)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return nil, fmt.Errorf("udprelay: open resend port %v: relay is %w", local, ErrClosed)
	}
	if p := r.asked[local]; p != nil {
		return p, nil
	}
	// Bound under the lock, as a shared pair is.
	conn, err := r.cfg.Listen(local)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("udprelay: bind resend port %v: another program uses it: stop it or configure another: %w", local, err)
	}
	if err != nil {
		return nil, fmt.Errorf("udprelay: bind resend port %v: %s: %w", local, advice(err), err)
	}
	r.size(conn, sharedBuffers)
	p := &resendPort{table: table{resends: true}, sock: newSocket(r, conn, Client, rtp), opened: r.cfg.Now()}
	p.sock.shared = &p.table
	p.sock.start(&r.wg, 0)
	r.asked[local] = p
	return p, nil
}
