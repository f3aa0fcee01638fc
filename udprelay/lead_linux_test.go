package udprelay

import (
	"errors"
	"net/netip"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/steer"
)

// steerAll leads away what any sender sends.
func steerAll(s SteerSpec) (Steering, error) {
	g, err := steer.Open(steer.Spec{Lo: s.Ports.Lo, Hi: s.Ports.Hi, V4: s.V4, V6: s.V6})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// TestLed: what an origin sends comes by the loop's own socket to the flow whose port it is, of either family, from many flows in one
// wake-up, in order; and what is not led still comes by the flow's.
func TestLed(t *testing.T) {
	lab.NeedRoot(t)
	for family, h := range map[string]hosts{"IPv4": newHosts(), "IPv6": hosts6()} {
		t.Run(family, func(t *testing.T) {
			r := newRelay(t, Config{Engine: EngineFast, Steer: steerAll, Linger: -1, ClientPorts: PortRange{5004, 5005}})
			if f := r.Engine().Features[2]; f.Name != steeringName || !f.On {
				t.Fatalf("%+v", f)
			}
			const flows, rounds = 20, 10
			origin := newEnd(t, h.origin, 0)
			var all []*Flow
			var clients []*end
			for i := range flows {
				f, c := reserve(t, r, h.spec()), newEnd(t, h.client, uint16(31000+2*i))
				connect(t, f, Client, Peer{Addr: h.client, RTP: c.addr().Port(), RTCP: c.addr().Port() + 1})
				connect(t, f, Origin, Peer{Addr: h.origin, RTP: origin.addr().Port(), RTCP: origin.addr().Port() + 1})
				all, clients = append(all, f), append(clients, c)
			}
			if led := r.fast.(*fastEngine).led.Load(); led != 2*flows {
				t.Fatalf("%d ports are led when all flows are reserved, not %d", led, 2*flows)
			}
			for n := range uint16(rounds) {
				for i, f := range all {
					origin.send(rtpPort(f.OriginPair()), packet(uint32(i), n))
				}
			}
			for i, f := range all {
				for n := range uint16(rounds) {
					clients[i].want(rtpPort(f.ClientPair()), packet(uint32(i), n))
				}
			}
			var led uint64
			for _, l := range r.Load().Loops {
				led += l.Led
			}
			if led != flows*rounds {
				t.Errorf("%d datagrams came by the loops' sockets, want %d", led, flows*rounds)
			}
			all[0].Close()
			<-all[0].Done()
			eventually(t, "a closed flow's ports are let go", func() bool { return int(r.fast.(*fastEngine).led.Load()) == 2*(flows-1) })
		})
	}
}

// hosts6 is the loopback, as of IPv6 there is one address only.
func hosts6() hosts {
	one := netip.IPv6Loopback()
	return hosts{toClient: one, toOrigin: one, client: one, origin: one}
}

// noSteering is one that holds nothing.
type noSteering struct{ held, released, closed int }

func (s *noSteering) Hold(netip.AddrPort) error    { s.held++; return errors.New("full") }
func (s *noSteering) Release(netip.AddrPort) error { s.released++; return nil }
func (s *noSteering) Close() error                 { s.closed++; return nil }

// TestNotLed: what cannot be led is read from the flow's own socket, and a system without is told of.
func TestNotLed(t *testing.T) {
	full := &noSteering{}
	for name, steer := range map[string]SteerFunc{
		"full":        func(SteerSpec) (Steering, error) { return full, nil },
		"unsupported": func(SteerSpec) (Steering, error) { return nil, errors.New("too old") },
		"not wanted":  nil,
	} {
		r, f, client, origin := fastFlow(t, Config{Steer: steer})
		origin.send(rtpPort(f.OriginPair()), packet(1, 1))
		client.want(rtpPort(f.ClientPair()), packet(1, 1))
		feature := r.Engine().Features[2]
		if feature.On != (name == "full") || !feature.On && feature.Why == "" {
			t.Errorf("%s: %+v", name, feature)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if full.held != 2 || full.released != 0 || full.closed != 1 {
		t.Errorf("%+v", full)
	}
}
