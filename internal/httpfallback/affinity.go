package httpfallback

import (
	"container/list"
	"net/netip"
	"slices"
	"time"

	"mediagate/balancer"
)

// key is one of the names that a player goes by. A field that does not count is zero.
type key struct {
	clientID string     // issued by an origin
	guid     string     // as the player wrote it
	addr     netip.Addr // the player's address
	plain    bool       // what comes from addr that is not Windows Media: another program, or a player's first try
}

// player is one player as far as its requests tell it apart from others, with the node that it met last. It stays known
// when its session has ended.
type player struct {
	keys    []key // the one that was used longest ago first
	pool    *balancer.Pool
	node    string              // "" before one was chosen
	session *session            // the latest
	byPath  map[string]*session // that have not ended, the latest of each path
	busy    int                 // requests under way: it is not forgotten while there are any
	last    time.Time
	place   *list.Element
}

const (
	// maxPlayers bounds the table; beyond it the player that was silent longest is forgotten first.
	maxPlayers = 100_000
	// maxKeys bounds the names of one player, the latest used count: it gets a new client-id with every request that does
	// not send one.
	maxKeys = 12
)

// affinity is the table of players. Its owner guards it.
type affinity struct {
	keep    time.Duration
	most    int
	players map[key]*player // nil as a value: a client-id that two nodes have issued
	order   *list.List      // of *player, the longest silent one first
}

func newAffinity(keep time.Duration) *affinity {
	return &affinity{keep: keep, most: maxPlayers, players: make(map[key]*player), order: list.New()}
}

// keysOf are the names that a request goes by, the surest first: the client-id that an origin issued, with the address
// and (a player whose address changes) without; GUID and address; the address alone. A GUID that is not known is a new
// player, whatever else came from its address, so that those behind one NAT are spread; constant GUIDs (ffmpeg, MPlayer)
// are known after their first request. Ordinary HTTP says nothing of who it is but its address.
func keysOf(addr netip.Addr, p pragma, wmsp bool) []key {
	if !wmsp {
		return []key{{addr: addr, plain: true}}
	}
	var keys []key
	if p.clientID != "" {
		keys = append(keys, key{clientID: p.clientID, addr: addr}, key{clientID: p.clientID})
	}
	if p.guid != "" {
		keys = append(keys, key{guid: p.guid, addr: addr})
	}
	if p.guid == "" || p.clientID != "" {
		keys = append(keys, key{addr: addr})
	}
	return keys
}

// find returns the player of the surest key that is known in this pool, or nil.
func (a *affinity) find(pool *balancer.Pool, keys []key, now time.Time) *player {
	a.expire(now)
	for _, k := range keys {
		if p := a.players[k]; p != nil && p.pool == pool {
			a.put(p, k)
			return p
		}
	}
	return nil
}

// add makes a new player known by the keys that the gateway gives: those of a client-id are an origin's to give.
func (a *affinity) add(pool *balancer.Pool, addr netip.Addr, p pragma, wmsp bool, now time.Time) *player {
	pl := &player{pool: pool, last: now}
	pl.place = a.order.PushBack(pl)
	a.name(pl, addr, p, wmsp)
	a.expire(now)
	return pl
}

// name lets a player go by the GUID and the address of its newest request. Ordinary HTTP goes where the address's player
// of Windows Media went last, if there is one.
func (a *affinity) name(pl *player, addr netip.Addr, p pragma, wmsp bool) {
	if !wmsp {
		a.put(pl, key{addr: addr, plain: true})
		if last := a.players[key{addr: addr}]; last != nil && last.pool == pl.pool && last.node != "" {
			pl.node = last.node
		}
		return
	}
	if p.guid != "" {
		a.put(pl, key{guid: p.guid, addr: addr})
	}
	a.put(pl, key{addr: addr})
}

// issued notes the client-id that the node gave to a player. Two nodes may give the same one: then it tells a player only
// together with its address.
func (a *affinity) issued(pl *player, id string, addr netip.Addr) {
	a.put(pl, key{clientID: id, addr: addr})
	alone := key{clientID: id}
	other, known := a.players[alone]
	switch {
	case known && other == nil:
	case known && other != pl && other.node != pl.node:
		a.players[alone] = nil
	default:
		a.put(pl, alone)
	}
}

// put makes k the player's, and its latest: what the player says itself in each request outlives the client-ids that it
// was given and never uses.
func (a *affinity) put(pl *player, k key) {
	a.players[k] = pl
	if i := slices.Index(pl.keys, k); i >= 0 {
		pl.keys = slices.Delete(pl.keys, i, i+1)
	}
	pl.keys = append(pl.keys, k)
	if len(pl.keys) > maxKeys {
		a.drop(pl, pl.keys[0])
		pl.keys = slices.Delete(pl.keys, 0, 1)
	}
}

// drop takes a key away if it is still this player's, or if it is nobody's.
func (a *affinity) drop(pl *player, k key) {
	if p := a.players[k]; p == pl || p == nil {
		delete(a.players, k)
	}
}

// touch keeps a player from being forgotten for another while.
func (a *affinity) touch(pl *player, now time.Time) {
	pl.last = now
	if pl.place != nil {
		a.order.MoveToBack(pl.place)
	}
}

// expire forgets who has been silent for too long, and the longest silent ones beyond the bound.
func (a *affinity) expire(now time.Time) {
	for e := a.order.Front(); e != nil; {
		pl, next := e.Value.(*player), e.Next()
		old := now.Sub(pl.last) > a.keep
		if !old && a.order.Len() <= a.most {
			return
		}
		if pl.busy > 0 && old { // a stream that runs for hours is no silence
			a.touch(pl, now)
		} else {
			a.forget(pl)
		}
		e = next
	}
}

func (a *affinity) forget(pl *player) {
	a.order.Remove(pl.place)
	pl.place = nil
	for _, k := range pl.keys {
		a.drop(pl, k)
	}
	pl.keys = nil
}
