//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
)

// rtpengine is Sipwise's media proxy of Debian's package rtpengine-daemon, without its kernel module: each flow is a
// call whose offer comes from the origin and whose answer comes from the client.
type rtpengine struct {
	*process
	before, after int64 // resident memory
	flows         int
}

// ngAddr is where rtpengine hears its control protocol.
var ngAddr = netip.MustParseAddrPort("127.0.0.1:2223")

func (r *rtpengine) open(_ context.Context, _ *bed, flows int) ([]netip.AddrPort, error) {
	program, err := exec.LookPath("rtpengine")
	if err != nil {
		return nil, errAbsent{"rtpengine"}
	}
	r.flows = flows
	r.process, err = startProcess(program, []string{"--foreground", "--log-stderr", "--log-level=3", "--config-file=none", "--table=-1",
		"--interface=internal/" + gatewayOrigin.String(), "--interface=external/" + gatewayClient.String(),
		"--listen-ng=" + ngAddr.String(), "--port-min=6000", "--port-max=60000", "--timeout=600", "--silent-timeout=600"}, nil)
	if err != nil {
		return nil, err
	}
	a, err := newAsker(gatewayHost, netip.AddrPort{}, ngAddr)
	if err != nil {
		return nil, err
	}
	defer a.close()
	if _, err := r.command(a, "ping", map[string]any{"command": "ping"}); err != nil {
		return nil, err
	}
	if r.before, err = resident(r.pid()); err != nil {
		return nil, err
	}
	to := make([]netip.AddrPort, flows)
	for i := range to {
		if to[i], err = r.call(a, i); err != nil {
			return nil, err
		}
	}
	r.after, err = resident(r.pid())
	return to, err
}

// call makes the i-th flow and returns where the origin sends.
func (r *rtpengine) call(a *asker, i int) (netip.AddrPort, error) {
	id := "call-" + strconv.Itoa(i)
	offer := map[string]any{"command": "offer", "call-id": id, "from-tag": "origin", "ICE": "remove",
		"replace": []string{"origin"}, "direction": []string{"internal", "external"}, "sdp": mediaSDP(netip.AddrPortFrom(originAddr, mediaPort), "sendonly")}
	if _, err := r.command(a, id+"-offer", offer); err != nil {
		return netip.AddrPort{}, err
	}
	answer := map[string]any{"command": "answer", "call-id": id, "from-tag": "origin", "to-tag": "client", "ICE": "remove",
		"replace": []string{"origin"}, "direction": []string{"external", "internal"}, "sdp": mediaSDP(viewer(i), "recvonly")}
	reply, err := r.command(a, id+"-answer", answer)
	if err != nil {
		return netip.AddrPort{}, err
	}
	sdp, _ := reply["sdp"].(string)
	return addressOf(sdp)
}

// mediaSDP describes one MPEG transport stream.
func mediaSDP(at netip.AddrPort, way string) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]v\r\ns=-\r\nc=IN IP4 %[1]v\r\nt=0 0\r\nm=video %[2]d RTP/AVP %[3]d\r\n"+
		"a=rtpmap:%[3]d MP2T/90000\r\na=%[4]s\r\n", at.Addr(), at.Port(), payloadMP2, way)
}

// addressOf finds the address and port of a description's media.
func addressOf(sdp string) (netip.AddrPort, error) {
	var addr netip.Addr
	var port uint64
	for line := range strings.Lines(sdp) {
		f := strings.Fields(line)
		var err error
		switch {
		case len(f) == 3 && f[0] == "c=IN":
			addr, err = netip.ParseAddr(f[2])
		case len(f) > 1 && strings.HasPrefix(f[0], "m="):
			port, err = strconv.ParseUint(f[1], 10, 16)
		}
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("rig: read description: %w", err)
		}
	}
	if !addr.IsValid() || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("rig: read description: no address or no port in %q", sdp)
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

// command has rtpengine do something: a cookie, a space, a dictionary; the answer likewise.
func (r *rtpengine) command(a *asker, cookie string, request map[string]any) (map[string]any, error) {
	prefix := []byte(cookie + " ")
	answer, err := a.ask(bencode(prefix, request), func(b []byte) bool { return bytes.HasPrefix(b, []byte(cookie+" ")) })
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, r.errors)
	}
	v, _, err := bdecode(answer[len(cookie)+1:], 0)
	if err != nil {
		return nil, err
	}
	reply, _ := v.(map[string]any)
	if result := reply["result"]; result != "ok" && result != "pong" {
		return nil, fmt.Errorf("rig: command rtpengine: %s: %v", cookie, reply)
	}
	return reply, nil
}

func (r *rtpengine) pids() []int { return processIDs(r.process) }

func (r *rtpengine) close() { closeProcess(r.process) }

func (r *rtpengine) session() int64 { return (r.after - r.before) / int64(r.flows) }
