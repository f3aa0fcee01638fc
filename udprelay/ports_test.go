package udprelay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
)

func TestPortRange(t *testing.T) {
	for _, tt := range []struct {
		r           PortRange
		pairs       int
		first, last uint16
	}{
		{PortRange{5004, 5005}, 1, 5004, 5004},
		{PortRange{5003, 5006}, 1, 5004, 5004},
		{PortRange{5003, 5007}, 2, 5004, 5006},
		{PortRange{5005, 5006}, 0, 0, 0},
		{PortRange{5004, 5004}, 0, 0, 0},
		{PortRange{6000, 5000}, 0, 0, 0},
		{PortRange{0, 5}, 2, 2, 4},
		{PortRange{0, 0}, 0, 0, 0},
		{PortRange{65535, 65535}, 0, 0, 0},
		{PortRange{65534, 65535}, 1, 65534, 65534},
		{PortRange{1, 65535}, 32767, 2, 65534},
	} {
		if got := tt.r.pairs(); got != tt.pairs {
			t.Errorf("%v: %d pairs, want %d", tt.r, got, tt.pairs)
		}
		if tt.pairs > 0 && (tt.r.at(0) != tt.first || tt.r.at(tt.pairs-1) != tt.last) {
			t.Errorf("%v: first %d last %d, want %d %d", tt.r, tt.r.at(0), tt.r.at(tt.pairs-1), tt.first, tt.last)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	ok := PortRange{20000, 20099}
	for name, cfg := range map[string]Config{
		"no client pair":           {ClientPorts: PortRange{5005, 5006}, OriginPorts: ok},
		"no origin pair":           {ClientPorts: ok},
		"shared pair in the range": {ClientPorts: PortRange{20004, 20005}, OriginPorts: ok},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestReserveRace: many at once get distinct even pairs, all of them, and the next is refused.
func TestReserveRace(t *testing.T) {
	const n = 50
	h := newHosts()
	r := newRelay(t, Config{ClientPorts: PortRange{22000, 22000 + 2*n - 1}, OriginPorts: PortRange{23000, 23000 + 2*n - 1}, Linger: -1})
	flows := make([]*Flow, n)
	var wg sync.WaitGroup
	for i := range flows {
		wg.Go(func() {
			f, err := r.Reserve(h.spec())
			if err != nil {
				t.Error(err)
				return
			}
			flows[i] = f
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	wantHeld(t, flows)
	if _, err := r.Reserve(h.spec()); !errors.Is(err, ErrPortsExhausted) {
		t.Errorf("one more: %v", err)
	}
	if r.InUse() != n {
		t.Errorf("%d in use", r.InUse())
	}
	flows[7].Close()
	<-flows[7].Done()
	f := reserve(t, r, h.spec())
	if f.ClientPair() != flows[7].ClientPair() {
		t.Errorf("got %v, only %v was free", f.ClientPair(), flows[7].ClientPair())
	}
}

// wantHeld checks that the flows' pairs are even, distinct, and bound.
func wantHeld(t *testing.T, flows []*Flow) {
	t.Helper()
	taken := make(map[PortPair]bool)
	for _, f := range flows {
		for _, p := range []PortPair{f.ClientPair(), f.OriginPair()} {
			if p.RTP%2 != 0 || p.RTCP != p.RTP+1 || taken[p] {
				t.Errorf("bad pair %+v", p)
			}
			taken[p] = true
			for _, port := range []uint16{p.RTP, p.RTCP} {
				if c, err := listenUDP(netip.AddrPortFrom(p.Addr, port)); err == nil {
					c.Close()
					t.Errorf("port %d is promised and not held", port)
				}
			}
		}
	}
}

// TestReserveAround: pairs of which another program has one port, odd or even, are left out, and given up whole.
func TestReserveAround(t *testing.T) {
	h := newHosts()
	newEnd(t, h.toClient, 22000)
	newEnd(t, h.toClient, 22003)
	r := newRelay(t, Config{ClientPorts: PortRange{22000, 22005}, Linger: -1})
	f := reserve(t, r, h.spec())
	if f.ClientPair().RTP != 22004 {
		t.Errorf("got %v", f.ClientPair())
	}
	if _, err := r.Reserve(h.spec()); !errors.Is(err, ErrPortsExhausted) {
		t.Error(err)
	}
	newEnd(t, h.toClient, 22001)
	newEnd(t, h.toClient, 22002)
}

func TestReserveErrors(t *testing.T) {
	h := newHosts()
	elsewhere := netip.MustParseAddr("192.0.2.1")
	refuse := func(errno syscall.Errno) ListenFunc {
		return func(netip.AddrPort) (Conn, error) { return nil, &net.OpError{Op: "listen", Err: errno} }
	}
	for _, tt := range []struct {
		name   string
		spec   Spec
		listen ListenFunc
		want   error
	}{
		{"not our address, client", Spec{ClientLocal: elsewhere, OriginLocal: h.toOrigin}, nil, syscall.EADDRNOTAVAIL},
		{"not our address, origin", Spec{ClientLocal: h.toClient, OriginLocal: elsewhere}, nil, syscall.EADDRNOTAVAIL},
		{"not permitted", h.spec(), refuse(syscall.EACCES), syscall.EACCES},
		{"too many files", h.spec(), refuse(syscall.EMFILE), syscall.EMFILE},
		{"all in use", h.spec(), refuse(syscall.EADDRINUSE), ErrPortsExhausted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRelay(t, Config{ClientPorts: PortRange{22000, 22003}, Linger: -1, Listen: tt.listen})
			if _, err := r.Reserve(tt.spec); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if r.InUse() != 0 || len(r.ranges[Client].held)+len(r.ranges[Origin].held) != 0 {
				t.Error("something stayed reserved")
			}
		})
	}
	r := newRelay(t, Config{})
	if _, err := r.Reserve(Spec{}); err == nil {
		t.Error("a flow without addresses was reserved")
	}
}

func TestOpen(t *testing.T) {
	h := newHosts()
	shared := Config{ClientPorts: PortRange{5004, 5005}}
	r := newRelay(t, shared)
	for range 2 {
		if err := r.Open(h.toClient); err != nil {
			t.Fatal(err)
		}
	}
	second := newRelay(t, shared)
	err := second.Open(h.toClient)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the pair of another relay: %v", err)
	}
	if err := second.Open(netip.MustParseAddr("192.0.2.1")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("an address that is not ours: %v", err)
	}
	if err := newRelay(t, Config{}).Open(h.toClient); err != nil {
		t.Errorf("without a shared pair: %v", err)
	}
	r.Close()
	if err := second.Open(h.toClient); err != nil {
		t.Errorf("after the other is closed: %v", err)
	}
	if err := r.Open(h.toClient); !errors.Is(err, ErrClosed) {
		t.Errorf("on a closed relay: %v", err)
	}
}

// A wanted port is taken where it can be had, and else one of the range.
func TestReserveWanted(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{ClientPorts: PortRange{30000, 30019}, OriginPorts: PortRange{30100, 30119}, Linger: -1})
	want := func(spec Spec, port uint16) *Flow {
		t.Helper()
		f := reserve(t, r, spec)
		got := f.OriginPair()
		if got.Addr != h.toOrigin || port != 0 && got.RTP != port || port == 0 && (got.RTP < 30100 || got.RTP > 30119) {
			t.Errorf("wanted %d, got %v, want %d", spec.OriginPort, got, port)
		}
		if spec.Protocol != MMS && got.RTCP != got.RTP+1 {
			t.Errorf("the pair is %v", got)
		}
		return f
	}
	spec := h.spec()
	spec.OriginPort = 31000
	first := want(spec, 31000)
	want(spec, 0) // taken by the first
	first.Close()
	<-first.Done()
	want(spec, 31000)
	spec.OriginPort = 31003 // odd: no pair begins there
	want(spec, 0)
	spec.Protocol = MMS // which needs no pair
	want(spec, 31003)
	spec.OriginPort = 31001 // the RTCP port of a flow
	want(spec, 0)
}
