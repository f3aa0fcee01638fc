package rtsp

import (
	"net"
	"net/netip"
	"sync"
)

// tunnelKey is what GET and POST must have in common: who knows the cookie of another address's tunnel cannot join it.
type tunnelKey struct {
	client netip.Addr
	cookie string
}

// tunnels joins GETs and POSTs. A POST is parked until the tunnel takes it; while it is parked the conversation that read
// its head keeps it and may withdraw it.
type tunnels struct {
	max int // halves that may wait

	mu      sync.Mutex // guards what follows
	ends    map[tunnelKey]*tunnelEnds
	cookies map[string]int // in how many keys; by a POST that comes from elsewhere
	waiting int            // GETs that no POST has joined, and parked POSTs
}

// tunnelEnds are the two ends of one tunnel; at least one is there.
type tunnelEnds struct {
	get  *tunnelConn
	post *postHalf
}

// postHalf is a POST whose head has been read.
type postHalf struct {
	conn    net.Conn
	rest    []byte // read after the head
	chunked bool
	taken   chan struct{} // closed when a tunnel has taken it: the connection is the tunnel's from then on
}

func newTunnels(most int) *tunnels {
	return &tunnels{max: most, ends: make(map[tunnelKey]*tunnelEnds), cookies: make(map[string]int)}
}

// open enters a GET.
func (ts *tunnels) open(t *tunnelConn) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	e := ts.ends[t.key]
	switch {
	case e == nil && ts.waiting >= ts.max:
		return errTunnelsFull
	case e == nil:
		e = ts.addLocked(t.key)
	case e.get != nil:
		return errTunnelUsed
	}
	e.get = t
	ts.waiting++
	return nil
}

// park enters a POST, and says whether there is a GET for it. known: without one it is refused.
func (ts *tunnels) park(key tunnelKey, p *postHalf, known bool) (joined bool, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	e := ts.ends[key]
	switch {
	case known && (e == nil || e.get == nil):
		return false, errBusy
	case e == nil && ts.cookies[key.cookie] > 0:
		return false, errTunnelElsewhere
	case e == nil && ts.waiting >= ts.max:
		return false, errTunnelsFull
	case e == nil:
		e = ts.addLocked(key)
	case e.post != nil:
		return false, errTunnelUsed
	}
	e.post = p
	ts.waiting++
	if e.get == nil {
		return false, nil
	}
	select {
	case e.get.wake <- struct{}{}:
	default: // it will look anyway
	}
	return true, nil
}

// take gives a tunnel the POST that is parked for it, nil if there is none.
func (ts *tunnels) take(t *tunnelConn) *postHalf {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	e := ts.ends[t.key]
	if e == nil || e.get != t || e.post == nil {
		return nil
	}
	p := e.post
	e.post = nil
	ts.waiting--
	if !t.met {
		t.met = true
		ts.waiting--
	}
	close(p.taken)
	return p
}

// withdraw takes a parked POST back; false: a tunnel has it.
func (ts *tunnels) withdraw(key tunnelKey, p *postHalf) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	e := ts.ends[key]
	if e == nil || e.post != p {
		return false
	}
	e.post = nil
	ts.waiting--
	ts.dropLocked(key, e)
	return true
}

// leave forgets a GET; one that never was in is no matter.
func (ts *tunnels) leave(t *tunnelConn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	e := ts.ends[t.key]
	if e == nil || e.get != t {
		return
	}
	e.get = nil
	if !t.met {
		ts.waiting--
	}
	ts.dropLocked(t.key, e)
}

// hasMet says that a POST has joined a GET.
func (ts *tunnels) hasMet(t *tunnelConn) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.met
}

func (ts *tunnels) addLocked(key tunnelKey) *tunnelEnds {
	e := &tunnelEnds{}
	ts.ends[key] = e
	ts.cookies[key.cookie]++
	return e
}

func (ts *tunnels) dropLocked(key tunnelKey, e *tunnelEnds) {
	if e.get != nil || e.post != nil {
		return
	}
	delete(ts.ends, key)
	if ts.cookies[key.cookie]--; ts.cookies[key.cookie] == 0 {
		delete(ts.cookies, key.cookie)
	}
}
