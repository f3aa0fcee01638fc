package httpfallback

import (
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/capture"
	"mediagate/internal/sessionlog"
)

// session is what one record tells: the requests of one player from the first until none has been under way for a while.
// Its fields are guarded by Proxy.mu, but for telling.
type session struct {
	proxy  *Proxy
	player *player
	pool   *balancer.Pool
	rec    *sessionlog.Record
	log    *zap.Logger
	tap    *capture.Session
	path   string // of the first request, without query

	lease     *balancer.Lease // the session's node; nil before one was chosen
	prefer    string          // the node to ask for first
	inFlight  int
	streaming int // responses with media among them
	linger    time.Duration
	timer     *time.Timer
	telling   sync.Mutex             // held while a record is handed over, so that none comes after the last; taken before Proxy.mu
	interim   *time.Timer            // nil: no record before the end
	exchanges map[*exchange]struct{} // under way
	links     map[*link]struct{}     // connections whose last request was the session's
	outcome   end
	killed    string // by whom, "" if it was not
	sighted   bool   // Viewer was asked
	logged    bool   // the origin took the player's log, and the player asked for nothing since
	ended     bool
}

const (
	// afterLog is how long a session waits for more after the player's log was answered: a seek is a log and a new Play.
	afterLog = 2 * time.Second
	// afterTimeout is what a paused player may be late with its KeepAlive.
	afterTimeout = 5 * time.Second
)

// begin finds the session that a request belongs to, or makes one, and counts the request in.
func (p *Proxy) begin(ex *exchange) {
	now := time.Now()
	ex.pool = p.poolFor(ex.in)
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := keysOf(ex.link.client.Addr(), ex.pragma, ex.wmsp)
	pl := p.players.find(ex.pool, keys, now)
	if pl == nil {
		pl = p.players.add(ex.pool, ex.link.client.Addr(), ex.pragma, ex.wmsp, now)
	} else {
		p.players.touch(pl, now)
		p.players.name(pl, ex.link.client.Addr(), ex.pragma, ex.wmsp)
	}
	s := pl.session
	if same := pl.byPath[ex.in.URL.Path]; same != nil && ex.wmsp {
		s = same // two players with one constant GUID may take turns
	}
	if s == nil || s.ended || s.killed != "" || s.isAnother(ex) {
		s = p.newSessionLocked(pl, ex, now)
	}
	s.inFlight++
	s.exchanges[ex] = struct{}{}
	s.logged = s.logged && ex.report != nil // a seek is a log and a new Play
	pl.busy++
	s.timer.Stop()
	s.rec.Requests++
	if s.rec.UserAgent == "" {
		s.rec.UserAgent = ex.in.UserAgent()
	}
	ex.session, ex.log, ex.home = s, s.log, pl.node
	ex.link.joinLocked(s)
}

func (p *Proxy) poolFor(r *http.Request) *balancer.Pool {
	if p.cfg.Route != nil {
		if pool := p.cfg.Route(hostOnly(r.Host), r.URL.Path); pool != nil {
			return pool
		}
	}
	return p.cfg.Pool
}

// isAnother says that a request of a known player begins another session: it asks for other content, or for the same
// while a stream still runs to it, which two players of one address and one constant GUID do.
func (s *session) isAnother(ex *exchange) bool {
	if !ex.wmsp || ex.in.Method != http.MethodGet {
		return false
	}
	return s.path != ex.in.URL.Path || s.streaming > 0 && ex.pragma.clientID == ""
}

func (p *Proxy) newSessionLocked(pl *player, ex *exchange, now time.Time) *session {
	id := p.nextID()
	s := &session{
		proxy: p, player: pl, pool: pl.pool, path: ex.in.URL.Path, prefer: pl.node, linger: p.cfg.Linger,
		log:       p.cfg.Logger.With(zap.String("session", id), zap.Stringer("client", ex.link.client)),
		exchanges: make(map[*exchange]struct{}), links: make(map[*link]struct{}),
		outcome: end{who: sessionlog.WhoNobody, phase: sessionlog.PhaseDescribe, cause: askedAndWent()},
		rec: &sessionlog.Record{
			ID: id, VirtualServer: p.cfg.VirtualServer, Protocol: "http", Transport: sessionlog.TransportHTTP,
			Client: ex.link.client, Local: ex.link.local, URL: urlOf(ex), UserAgent: ex.in.UserAgent(),
			Start: sessionlog.Stamp{Time: now}, Drops: make(map[string]uint64),
		},
	}
	s.timer = time.AfterFunc(time.Hour, func() { p.lingered(s) })
	s.timer.Stop()
	if p.cfg.Interim > 0 {
		s.interim = time.AfterFunc(p.cfg.Interim, func() { p.report(s) }) // it waits for the lock
	}
	s.tap = p.beginTap(s, ex)
	p.sessions[id] = s
	p.live.Add(1)
	if pl.byPath == nil {
		pl.byPath = make(map[string]*session)
	}
	pl.session, pl.byPath[s.path] = s, s
	return s
}

// sight asks once who the player is, before the session's first node is chosen.
func (p *Proxy) sight(ex *exchange) {
	s := ex.session
	p.mu.Lock()
	asked := s.sighted
	s.sighted = true
	p.mu.Unlock()
	if asked {
		return
	}
	v := p.cfg.Viewer(Sighting{Client: ex.link.client.Addr(), GUID: ex.pragma.guid, URL: ex.in.URL.RequestURI()})
	p.mu.Lock()
	defer p.mu.Unlock()
	s.rec.Viewer, s.rec.PlayerID = v.ID, ex.pragma.guid
	if s.prefer == "" {
		s.prefer = v.Node
	}
}

// nodeFor returns the session's node, or a new one that is none of the tried.
func (p *Proxy) nodeFor(ex *exchange, tried []string) (balancer.Node, error) {
	s := ex.session
	p.mu.Lock()
	lease, prefer := s.lease, s.prefer
	p.mu.Unlock()
	if lease != nil && !slices.Contains(tried, lease.Node().Name) {
		return lease.Node(), nil
	}
	k := balancer.Key{Service: Service, Client: ex.link.client.Addr(), URL: ex.in.URL.RequestURI(), Exclude: tried, Prefer: prefer}
	fresh, err := s.pool.Acquire(k)
	if err != nil {
		return balancer.Node{}, err
	}
	return p.install(ex, lease, fresh), nil
}

// install makes a lease the session's own, unless another request of the session was quicker.
func (p *Proxy) install(ex *exchange, old, fresh *balancer.Lease) balancer.Node {
	s := ex.session
	p.mu.Lock()
	spare := old
	if s.lease != old {
		spare, fresh = fresh, s.lease
	}
	s.lease = fresh
	n := fresh.Node()
	s.rec.Node, s.rec.NodeAddress = n.Name, n.AddrPort(Service)
	s.tap.Learn(capture.Facts{Node: n.Name, NodeAddr: s.rec.NodeAddress.Addr()})
	if len(s.rec.NodesTried) < maxTried && (len(s.rec.NodesTried) == 0 || s.rec.NodesTried[len(s.rec.NodesTried)-1] != n.Name) {
		s.rec.NodesTried = append(s.rec.NodesTried, n.Name)
	}
	p.mu.Unlock()
	if spare != nil {
		spare.Release()
	}
	return n
}

// maxTried bounds the list of nodes in a record.
const maxTried = 32

// served notes that a node has answered: the player's next requests go there.
func (p *Proxy) served(ex *exchange, n balancer.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ex.session.player.node, ex.session.prefer = n.Name, n.Name
}

// addrOf is an address without what a listener for both families puts around it.
func addrOf(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
