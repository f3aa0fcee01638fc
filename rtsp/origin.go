package rtsp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/rtsp/rtspwire"
)

// connect makes sure there is an origin connection, trying one node after the other. A node is skipped only for what no
// client can cause: a connection that fails. Nodes that broke before their first answer are in s.tried already.
func (s *session) connect(ex *exchange) error {
	s.route(ex)
	s.sight(ex)
	if s.origin != nil {
		return nil
	}
	var dialled error
	for {
		lease, err := s.acquire(ex.in.URL)
		if err != nil {
			if dialled != nil {
				return fmt.Errorf("%w (%v)", dialled, err) // the nodes' faults say more than that there is no further one
			}
			return err
		}
		s.lease = lease // finish gives it back, whatever happens here
		node := lease.Node()
		s.noteTry(node.Name)
		ctx, cancel := context.WithTimeout(s.ctx, s.proxy.cfg.Timeouts.Connect)
		conn, err := s.proxy.cfg.Dial(ctx, s.clientAddr, node.AddrPort(Service))
		cancel()
		if err == nil {
			s.rec.Node, s.rec.NodeAddress, s.rec.SeenAs = node.Name, node.AddrPort(Service), addrPortOf(conn.LocalAddr())
			s.met()
			s.urls.reach(node.Name, authorityOf(node.AddrPort(Service)))
			s.origin = newPeer(sideOrigin, conn, s)
			s.joined(s.origin)
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
		s.giveUp(node.Name)
		dialled = errOriginRefused
		if errors.Is(err, context.DeadlineExceeded) {
			dialled = errOriginSilent
		}
	}
}

// acquire takes a lease, on the node of before if there was one: a conversation stays with its origin.
func (s *session) acquire(url string) (*balancer.Lease, error) {
	return s.pool.Acquire(balancer.Key{
		Service: Service,
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
		s.answered = false
		return
	}
	s.giveUp(name)
	s.prefer = ""
}

// giveUp leaves a node out for the request in hand.
func (s *session) giveUp(node string) {
	s.tried = append(s.tried, node)
}

// noteTry takes a node that is asked into the record, once.
func (s *session) noteTry(node string) {
	if !slices.Contains(s.rec.NodesTried, node) {
		s.rec.NodesTried = append(s.rec.NodesTried, node)
	}
}

// onOriginGone deals with the end of the origin connection, or with an answer that cannot be read.
func (s *session) onOriginGone(err error) {
	if !isFatal(err) {
		s.log.Warn("malformed message from origin", zap.Error(err))
		if s.origin.strikes++; s.origin.strikes < s.proxy.cfg.SyntaxErrors {
			if ex := s.current; ex != nil && badCSeq(err) == strconv.FormatUint(uint64(ex.number), 10) {
				s.failCurrent(errOriginBroke) // this was the answer
				s.nextRequest()
			}
			return
		}
	}
	if len(s.bound) > 0 && s.originDone(err) {
		s.afterOriginDone()
		return
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

// retry sends the request in hand to the next node if its node never answered. A node that has answered before is asked
// once more: it may have closed its connection just when the request came. Otherwise err is the answer.
func (s *session) retry(ex *exchange, err error) {
	s.current = nil
	if s.answered && ex.again {
		s.closeOrigin()
		s.refuse(ex, err)
	} else {
		ex.again = ex.again || s.answered
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

// nodeOf finds the node of the pool whose address stands in url. Of several nodes at one address, its port tells.
func (s *session) nodeOf(url string) (balancer.Node, bool) {
	start, end, ok := rtspwire.Authority(url)
	if !ok {
		return balancer.Node{}, false
	}
	host, port, ok := rtspwire.SplitHostPort(url[start:end])
	if !ok {
		return balancer.Node{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return balancer.Node{}, false
	}
	if port == 0 {
		port = defaultPort
	}
	at := netip.AddrPortFrom(addr.Unmap(), port)
	for _, n := range s.pool.Snapshot() {
		if n.Node.AddrPort(Service) == at {
			return n.Node, true
		}
	}
	return s.pool.Node(at.Addr())
}

// defaultPort is RTSP's (RFC 2326, section 3.2).
const defaultPort = 554

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
