package rtsp

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/rtsp/rtspwire"
)

// connect makes sure there is an origin connection, trying one node after the other. A node is skipped only for what no
// client can cause: a connection that fails. Nodes that broke before their first answer are in s.tried already.
func (s *session) connect(ex *exchange) error {
	if s.origin != nil {
		return nil
	}
	var dialled error
	for {
		lease, err := s.acquire(ex.in.URL)
		if err != nil {
			if dialled != nil {
				return errors.Join(dialled, err)
			}
			return err
		}
		node := lease.Node()
		ctx, cancel := context.WithTimeout(s.ctx, s.proxy.cfg.Timeouts.Connect)
		conn, err := s.proxy.cfg.Dial(ctx, s.clientAddr, node.AddrPort(Service))
		cancel()
		if err == nil {
			s.lease = lease
			s.rec.Node, s.rec.NodeAddress = node.Name, node.AddrPort(Service)
			s.urls.origin = authorityOf(node.AddrPort(Service))
			s.origin = newPeer(sideOrigin, conn, &s.proxy.cfg)
			s.peers = append(s.peers, s.origin)
			s.answered = false
			s.origin.start(s)
			return nil
		}
		if s.ctx.Err() != nil {
			lease.Release()
			return errDraining
		}
		s.log.Warn("node cannot be reached, trying the next", zap.String("node", node.Name), zap.Error(err))
		lease.Failed(err)
		lease.Release()
		s.tried = append(s.tried, node.Name)
		dialled = errOriginRefused
		if errors.Is(err, context.DeadlineExceeded) {
			dialled = errOriginSilent
		}
	}
}

// acquire takes a lease, on the node of before if there was one: a conversation stays with its origin.
func (s *session) acquire(url string) (*balancer.Lease, error) {
	return s.proxy.cfg.Pool.Acquire(balancer.Key{
		Client:  s.clientAddr.Addr(),
		URL:     url,
		Exclude: s.tried,
		Prefer:  s.prefer,
	})
}

// closeOrigin lets go of the origin connection and its lease. Its pump ends by itself.
func (s *session) closeOrigin() {
	if s.origin == nil {
		return
	}
	s.prefer = s.lease.Node().Name
	_ = s.origin.conn.Close() // the pump reports nothing any more: the peer is not s.origin
	s.origin = nil
	s.lease.Release()
}

// dropOrigin gives a node up that broke before its first answer; the next connect tries another. After its first answer the
// same node is asked again: it was there, and the conversation knows it.
func (s *session) dropOrigin(cause error) {
	name := s.lease.Node().Name
	s.log.Warn("node broke off, trying the next", zap.String("node", name), zap.Bool("answered", s.answered), zap.Error(cause))
	s.closeOrigin()
	if s.answered {
		s.tried = nil
		s.answered = false
		return
	}
	s.tried = append(s.tried, name)
	s.prefer = ""
}

// onOriginGone deals with the end of the origin connection, or with an answer that cannot be read.
func (s *session) onOriginGone(err error) {
	if !isFatal(err) {
		s.log.Warn("malformed message from origin", zap.Error(err))
		if s.strikes++; s.strikes < s.proxy.cfg.SyntaxErrors {
			return
		}
	}
	if len(s.bound) > 0 {
		s.failCurrent(errOriginBroke)
		s.endWith(s.endOriginGone(err))
		return
	}
	ex := s.current
	if ex == nil {
		s.closeOrigin() // nothing depends on it; the next request opens a new one
		return
	}
	s.retry(ex, errOriginBroke)
}

// retry sends the request in hand to the next node if its node never answered, and answers err otherwise.
func (s *session) retry(ex *exchange, err error) {
	s.current = nil
	if s.answered {
		s.closeOrigin()
		s.refuse(ex, err)
	} else {
		s.dropOrigin(err)
		if again := s.forward(ex); again != nil {
			if errors.Is(again, balancer.ErrNoNode) {
				again = err // the last node's fault says more than that there is no further one
			}
			s.refuse(ex, again)
		}
	}
	s.nextRequest()
}

// failCurrent answers the request in hand, if there is one, with err.
func (s *session) failCurrent(err error) {
	if ex := s.current; ex != nil {
		s.current = nil
		s.refuse(ex, err)
	}
}

// onResponseTimeout deals with an origin that does not answer.
func (s *session) onResponseTimeout() {
	ex := s.current
	if !s.answered && len(s.bound) == 0 {
		s.retry(ex, errOriginSilent)
		return
	}
	s.failCurrent(errOriginSilent)
	s.nextRequest()
}

// nodeOf finds the node of the pool whose address stands in url.
func (s *session) nodeOf(url string) (balancer.Node, bool) {
	start, end, ok := rtspwire.Authority(url)
	if !ok {
		return balancer.Node{}, false
	}
	host, _, ok := rtspwire.SplitHostPort(url[start:end])
	if !ok {
		return balancer.Node{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return balancer.Node{}, false
	}
	return s.proxy.cfg.Pool.Node(addr.Unmap())
}

// originAddr is the address of the node at the other end of the origin connection.
func (s *session) originAddr() netip.Addr {
	return addrPortOf(s.origin.conn.RemoteAddr()).Addr()
}

// lifeClock remembers when the player last showed itself on the control connection.
type lifeClock struct {
	started time.Time
	spoke   time.Time
	spoken  bool
}

func (l *lifeClock) start(now time.Time)       { l.started, l.spoke = now, now }
func (l *lifeClock) clientSpoke(now time.Time) { l.spoke, l.spoken = now, true }
