package mms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/mms/mmswire"
)

// said is what the player has said while it set up, as it said it. An origin that takes over hears it again.
type said struct {
	connect *mmswire.Connect
	host    string // of the subscriberName, without port
	info    *mmswire.FunnelInfo
	funnel  *mmswire.ConnectFunnel
	file    *mmswire.OpenFile
}

// step is one message that the gateway says to an origin on the player's behalf.
type step struct {
	mid mmswire.MID
	msg mmswire.Raw
}

// script is what is left to say to a new origin; the first step is the one that the origin is answering. The player
// waits for the answer to the last step and sees only that one.
type script struct {
	steps    []step
	deadline time.Time
}

func (sc *script) running() bool { return len(sc.steps) > 0 }

// reach finds a node that can be connected to, one after the other, and begins to say to it what the player has said. The
// request that the player waits for is the last one pending.
func (s *session) reach() error {
	var dialled error
	for {
		lease, err := s.acquire()
		if err != nil {
			if dialled != nil {
				return fmt.Errorf("%w (%v)", dialled, err) // the nodes' faults say more than that there is no further one
			}
			return err
		}
		s.lease = lease // finish gives it back, whatever happens here
		err = s.dial(lease.Node())
		if err == nil {
			return s.begin()
		}
		lease.Release()
		if s.ctx.Err() != nil {
			return errDraining
		}
		s.log.Warn("node cannot be reached, trying the next", zap.String("node", lease.Node().Name), zap.Error(err))
		lease.Failed(err)
		s.tried = append(s.tried, lease.Node().Name)
		dialled = errUnreachable
		if errors.Is(err, context.DeadlineExceeded) {
			dialled = errOriginSilent
		}
	}
}

// acquire takes a lease in the pool that host and path name.
func (s *session) acquire() (*balancer.Lease, error) {
	path := ""
	if s.said.file != nil {
		path = pathOf(s.said.file.FileName)
	}
	if s.pool == nil {
		s.pool = s.proxy.cfg.Route(s.said.host, path)
	}
	s.sight()
	return s.pool.Acquire(balancer.Key{
		Service: Service,
		Client:  s.clientAddr.Addr(),
		URL:     s.rec.URL,
		Exclude: s.tried,
		Prefer:  s.prefer,
	})
}

func (s *session) dial(node balancer.Node) error {
	if !slices.Contains(s.rec.NodesTried, node.Name) {
		s.rec.NodesTried = append(s.rec.NodesTried, node.Name)
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.proxy.cfg.Timeouts.Connect)
	defer cancel()
	conn, err := s.proxy.cfg.Dial(ctx, s.clientAddr, node.AddrPort(Service))
	if err != nil {
		return err
	}
	s.rec.Node, s.rec.NodeAddress, s.rec.SeenAs = node.Name, node.AddrPort(Service), addrPortOf(conn.LocalAddr())
	s.met()
	s.origin = newPeer(sideOrigin, conn, s)
	s.origins = append(s.origins, s.origin)
	return nil
}

// begin says the first step to a fresh origin.
func (s *session) begin() error {
	steps, err := s.recite()
	s.origin.start()
	if err != nil {
		return err
	}
	s.script.steps = steps
	s.say()
	return nil
}

// recite is what the player has said, with our names in the place of the player's.
func (s *session) recite() ([]step, error) {
	steps := []step{{mmswire.MIDConnect, s.rewriteConnect()}}
	if s.said.info != nil {
		info := *s.said.info
		if s.pending[len(s.pending)-1].mid != mmswire.MIDFunnelInfo {
			info.PlayIncarnation = mmswire.DisablePacketPair // nobody would see the pairs
		}
		steps = append(steps, step{mmswire.MIDFunnelInfo, mmswire.Encode(&info)})
	}
	if s.said.funnel != nil {
		m, err := s.rewriteFunnel()
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{mmswire.MIDConnectFunnel, m})
	}
	if s.said.file != nil {
		steps = append(steps, step{mmswire.MIDOpenFile, mmswire.Encode(s.said.file)})
	}
	return steps, nil
}

// say writes the first step that is left.
func (s *session) say() {
	s.script.deadline = time.Now().Add(s.proxy.cfg.Timeouts.Response)
	s.toOrigin(s.script.steps[0].msg, 0)
}

// onScripted deals with what an origin says while the gateway speaks for the player.
func (s *session) onScripted(m mmswire.Raw, sent uint64) {
	if m.MID == mmswire.MIDPing {
		s.toOrigin(mmswire.Encode(&mmswire.Pong{}), 0) // the player is not in this yet
		return
	}
	now := s.script.steps[0]
	if r, ok := rowOf(m.MID); !ok || !slices.Contains(r.answers, now.mid) {
		s.log.Debug("origin says what is not the answer", zap.Stringer("message", m.MID), zap.Stringer("asked", now.mid))
		return
	}
	if err := s.heed(m); err != nil {
		s.nodeFailed(err)
		return
	}
	s.script.steps = s.script.steps[1:]
	if s.script.running() {
		s.say()
		return
	}
	s.media.from.Store(s.origin)
	s.fromOrigin(m, sent)
}

// heed takes what the gateway itself needs from an answer to a step. The error is one for which the next node is tried;
// what only the player can judge, the file's fate, is left to it.
func (s *session) heed(m mmswire.Raw) error {
	msg, err := mmswire.Decode(m)
	if err != nil {
		return fmt.Errorf("%w: %w", errOriginBroke, err)
	}
	switch r := msg.(type) {
	case *mmswire.ReportConnectedEX:
		if failed(r.HR) {
			return &refusalError{m.MID, r.HR}
		}
		s.proxy.greeting.Store(r)
	case *mmswire.ReportFunnelInfo:
		s.learnID(r.NCubs)
	case *mmswire.ReportDisconnectedFunnel:
		if len(s.script.steps) > 1 {
			return &refusalError{m.MID, r.HR} // the player has been told that its funnel is there
		}
	}
	return nil
}

// nodeFailed gives a node up of which the player has seen no file yet, and tries the next one. The node is not marked as
// failed, as one is that cannot be connected to: what a player says can bring this about, and it shall not take nodes out.
func (s *session) nodeFailed(err error) {
	node := s.lease.Node().Name
	s.log.Warn("node fails, trying the next", zap.String("node", node), zap.Error(err))
	s.dropOrigin()
	s.tried = append(s.tried, node)
	s.prefer = ""
	again := s.reach()
	if again == nil {
		return
	}
	if errors.Is(again, balancer.ErrNoNode) {
		again = err // the last node's fault says more than that there is no further one
	}
	s.giveUp(again)
}

// giveUp refuses what the player waits for, and ends.
func (s *session) giveUp(err error) {
	s.script = script{}
	for _, r := range s.pending {
		s.refuse(r, err)
	}
	s.endWith(s.endRefused(err))
}

// dropOrigin lets go of the origin connection and its lease. Its pump ends by itself.
func (s *session) dropOrigin() {
	if s.origin == nil {
		return
	}
	s.script = script{}
	s.media.from.Store(nil)
	_ = s.origin.conn.Close() // the pump reports nothing any more: the peer is not s.origin
	s.origin = nil
	s.lease.Release()
}
