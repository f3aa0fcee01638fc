package gateway

import (
	"container/list"
	"crypto/rand"
	"encoding/base32"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mediagate/internal/sessionlog"
)

// viewers knows the players of late: one that tries RTSP, then MMS, then HTTP is one viewer
// (docs/adr/0021-one-viewer.md). Its methods are safe for concurrent use and never block.
type viewers struct {
	window time.Duration
	most   int
	now    func() time.Time
	epoch  string // sets the viewers of two runs apart

	mu     sync.Mutex // guards what follows
	byKey  map[viewerKey]*viewer
	byID   map[string]*viewer
	fallen map[viewerKey]*viewer // by address, and by address and clip: who has failed last and has nothing running
	order  *list.List            // of *viewer, the longest silent one first
	number uint64
}

// viewerKey is a name that a viewer goes by: address and GUID, or address and clip.
type viewerKey struct {
	addr       netip.Addr
	guid, clip string
}

type viewer struct {
	id    string
	keys  []viewerKey
	fell  []viewerKey    // its keys in fallen
	node  string         // that it has met last
	open  int            // sessions that run
	of    map[string]int // the same by protocol
	heard time.Time
	steps []step
	place *list.Element
}

// step is a session that failed.
type step struct {
	sessionlog.Step
	clip string
}

const (
	maxViewers = 50_000 // beyond it the one that was silent longest is forgotten first
	maxKeys    = 8      // of one viewer
	maxSteps   = 8      // of one viewer, the latest count; Windows Media Player has five
	maxWhy     = 256    // bytes of a step's sentence
	// silentUDP is how long a player over UDP waits for media at most before it leaves for TCP. The gateway has sent it
	// then and cannot know that it did not arrive. Observed: GStreamer 5 s; Windows Media Player takes longer.
	silentUDP = 20 * time.Second
)

func newViewers(window time.Duration) *viewers {
	return &viewers{
		window: window, most: maxViewers, now: time.Now, epoch: newEpoch(),
		byKey: make(map[viewerKey]*viewer), byID: make(map[string]*viewer), fallen: make(map[viewerKey]*viewer), order: list.New(),
	}
}

// newEpoch is a word that no other run of the program has.
func newEpoch() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails (Go 1.24)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// sight returns who the player of a new session is, and the node that it had. id is "" as long as neither its GUID nor
// the URL tells; node may be there all the same. A player that is known by its address and clip alone, while another
// session of that protocol runs, is most likely somebody else behind one NAT: it may be spread.
func (t *viewers) sight(protocol string, client netip.Addr, guid, url string) (id, node string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.expire(now)
	key := viewerKey{addr: client.Unmap().WithZone(""), guid: plainGUID(guid)}
	clip := clipOf(url)
	v := t.find(&key, clip)
	switch {
	case v == nil && clip == "" && (key.guid == "" || isAnonymous(key.guid)):
		if v = t.fallen[viewerKey{addr: key.addr}]; v != nil {
			return "", v.node // most likely the same one on its next step
		}
		return "", ""
	case v == nil:
		if v = t.nameless(key.addr, now); v == nil {
			v = t.make()
		}
	}
	t.name(v, key)
	t.rise(v)
	v.open++
	v.of[protocol]++
	t.touch(v, now)
	t.expire(now)
	if key.guid == "" && v.of[protocol] > 1 {
		return v.id, ""
	}
	return v.id, v.node
}

// find returns the viewer of a key, which gets the clip if there is no GUID in it.
func (t *viewers) find(key *viewerKey, clip string) *viewer {
	if key.guid != "" {
		v := t.byKey[*key]
		if v == nil && clip != "" && isAnonymous(key.guid) {
			v = t.fallen[viewerKey{addr: key.addr, clip: clip}]
		}
		return v
	}
	key.clip = clip
	if v := t.byKey[*key]; v != nil || clip == "" {
		return v
	}
	// Observed: GStreamer goes from UDP to TCP with a SETUP, whose URL is that of a stream of the clip.
	if parent := strings.LastIndexByte(clip, '/'); parent > 0 {
		above := viewerKey{addr: key.addr, clip: clip[:parent]}
		if v := t.byKey[above]; v != nil {
			*key = above
			return v
		}
	}
	return nil
}

// name lets a viewer go by one more key.
func (t *viewers) name(v *viewer, key viewerKey) {
	if t.byKey[key] == v {
		return
	}
	t.byKey[key] = v
	if v.keys = append(v.keys, key); len(v.keys) > maxKeys {
		delete(t.byKey, v.keys[0])
		v.keys = slices.Delete(v.keys, 0, 1)
	}
}

func (t *viewers) touch(v *viewer, now time.Time) {
	v.heard = now
	t.order.MoveToBack(v.place)
}

// expire forgets who has been silent for too long, and the longest silent ones beyond the bound.
func (t *viewers) expire(now time.Time) {
	for range t.order.Len() {
		v, _ := t.order.Front().Value.(*viewer)
		old := now.Sub(v.heard) > t.window
		switch {
		case t.order.Len() <= t.most && !old:
			return
		case t.order.Len() <= t.most && v.open > 0:
			t.touch(v, now)
		default:
			t.forget(v)
		}
	}
}

func (t *viewers) forget(v *viewer) {
	t.rise(v)
	t.order.Remove(v.place)
	delete(t.byID, v.id)
	for _, k := range v.keys {
		delete(t.byKey, k)
	}
}

// fall notes that a viewer has failed and will come again.
func (t *viewers) fall(v *viewer, addr netip.Addr, clip string) {
	t.rise(v)
	v.fell = []viewerKey{{addr: addr}, {addr: addr, clip: clip}}
	for _, k := range v.fell {
		t.fallen[k] = v
	}
}

func (t *viewers) rise(v *viewer) {
	for _, k := range v.fell {
		if t.fallen[k] == v {
			delete(t.fallen, k)
		}
	}
	v.fell = nil
}

// met notes the node that a viewer's session has reached, for a session beside it: some players go on to the next step
// before the one before has ended.
func (t *viewers) met(id, node string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.byID[id]; v != nil {
		v.node = node
	}
}

// ended completes the record of a session with the steps before it, and learns from it.
func (t *viewers) ended(r *sessionlog.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.byID[r.Viewer]
	if v == nil {
		v = t.unnamed(r)
	}
	if v == nil {
		return
	}
	clip := clipOf(r.URL)
	for _, s := range v.steps {
		if s.Start.Before(r.Start.Time) && (s.clip == clip || s.clip == "") {
			r.Ladder = append(r.Ladder, s.Step)
		}
	}
	slices.SortStableFunc(r.Ladder, func(a, b sessionlog.Step) int { return a.Start.Compare(b.Start.Time) })
	if r.Interim {
		return
	}
	v.open, v.of[r.Protocol] = max(0, v.open-1), max(0, v.of[r.Protocol]-1)
	t.touch(v, t.now())
	if r.Node != "" {
		v.node = r.Node
	}
	if !failed(r) {
		v.steps = nil
		return
	}
	v.steps = append(v.steps, step{clip: clip, Step: sessionlog.Step{
		Session: r.ID, Protocol: r.Protocol, Transport: r.Transport, End: r.End, Why: short(r.Why), Start: r.Start,
	}})
	if len(v.steps) > maxSteps {
		v.steps = slices.Delete(v.steps, 0, 1)
	}
	if v.open == 0 {
		t.fall(v, r.Client.Addr().Unmap().WithZone(""), clip)
	}
}

// failed says that a player may have left a session for the next step of its ladder.
func failed(r *sessionlog.Record) bool {
	proper := r.End.Who == 0 || r.End.Who == sessionlog.WhoNobody
	brief := r.Transport == sessionlog.TransportUDP && time.Duration(r.Duration) < silentUDP
	return !proper || r.FirstMedia == nil || brief
}

func short(s string) string {
	if len(s) > maxWhy {
		s = strings.ToValidUTF8(s[:maxWhy], "") + "..."
	}
	return strings.Clone(s) // the rest of the record need not stay for it
}
