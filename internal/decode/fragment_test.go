package decode

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

func TestIPv6AndFragments(t *testing.T) {
	for _, host := range []string{"198.51.100.7", "2001:db8::7"} {
		client := netip.AddrPortFrom(netip.MustParseAddr(host), 40000)
		server := wms
		if client.Addr().Is6() {
			server = netip.MustParseAddrPort("[2001:db8::11]:8554")
		}
		b := newBench(t)
		b.rtspDialog(client, server, wantUDP, grantUDP)
		big := append(rtp(1, 160, 7), make([]byte, 2500)...)
		whole := b.datagram(netip.AddrPortFrom(server.Addr(), 6000), netip.AddrPortFrom(client.Addr(), 5000), big)
		parts := fragmentsOf(whole, 1000)
		for _, i := range []int{2, 0, 1, 1} { // out of order, one of them twice
			b.add(parts[i])
		}
		b.add(fragmentsOf(whole, 1480)[0]) // its other half never comes
		r := b.read()
		f := r.Conversations[0].Media[0].Flows
		if len(f) != 1 || f[0].Packets != 1 || f[0].Bytes != uint64(len(big)) || f[0].Joined != "negotiated" {
			t.Errorf("%s: flows %+v", host, f)
		}
		if len(r.File.Notes) != 1 || !strings.Contains(r.File.Notes[0], "1 datagram of IP never became whole") {
			t.Errorf("%s: notes %q", host, r.File.Notes)
		}
	}
}

// fragmentsOf divides an IP packet into fragments of n bytes of payload.
func fragmentsOf(ip []byte, n int) [][]byte {
	var out [][]byte
	be := binary.BigEndian
	if ip[0]>>4 == 4 {
		for at := 20; at < len(ip); at += n {
			end := min(at+n, len(ip))
			p := append(bytes.Clone(ip[:20]), ip[at:end]...)
			be.PutUint16(p[2:], uint16(len(p)))
			flags := uint16((at - 20) / 8)
			if end < len(ip) {
				flags |= 0x2000
			}
			be.PutUint16(p[6:], flags)
			out = append(out, p)
		}
		return out
	}
	for at := 40; at < len(ip); at += n {
		end := min(at+n, len(ip))
		head := []byte{ip[6], 0, 0, 0, 0, 0, 0, 9}
		be.PutUint16(head[2:], uint16(at-40))
		if end < len(ip) {
			head[3] |= 1
		}
		p := append(append(bytes.Clone(ip[:40]), head...), ip[at:end]...)
		p[6] = protoFragment
		be.PutUint16(p[4:], uint16(len(p)-40))
		out = append(out, p)
	}
	return out
}
