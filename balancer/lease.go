package balancer

import (
	"slices"
	"sync/atomic"
)

// Lease is one session's hold on a node. It belongs to who acquired it; its methods may be called from any goroutine.
type Lease struct {
	pool     *Pool
	node     *node
	service  string
	cfg      Node // as it was when it was acquired: a reload does not move a running session
	released atomic.Bool
}

// Node returns the node as it was configured when the lease was acquired.
func (l *Lease) Node() Node { return l.cfg }

// Failed tells the pool that the node did not answer this session's connect, which takes the node out for the service
// that the lease was acquired for: until the monitor's rise is met, or for the pool's FailPause when no monitor of that
// service runs. Call it only for what no client can cause
// (refused, reset, timed out before the first answer), else one client could take a node from all others. A nil err is
// ignored. The lease must still be released.
func (l *Lease) Failed(err error) {
	if err != nil {
		l.pool.fail(l.node, l.service, err)
	}
}

// Release gives the hold back. Calls after the first do nothing.
func (l *Lease) Release() {
	if l.released.Swap(true) {
		return
	}
	l.pool.release(l.node)
}

func (p *Pool) release(n *node) {
	p.mu.Lock()
	defer p.unlock()
	n.sessions--
	if n.removed && n.sessions == 0 {
		p.retired = slices.DeleteFunc(p.retired, func(r *node) bool { return r == n })
	}
}
