package player

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// supported are the features of [MS-RTSP] 2.2.6.10 that a player must or should have.
const supported = "com.microsoft.wm.srvppair, com.microsoft.wm.sswitch, com.microsoft.wm.eosmsg, com.microsoft.wm.predstrm"

// logs are the least that a log can be; [MS-WMLOG] has more fields, none of which we know.
const logs = "<XML><c-playerversion>9.0.0.2833</c-playerversion></XML>"

// describe is the first request; there is no OPTIONS. [MS-RTSP] 3.1.4.2.1.
func (r *run) describe(ctx context.Context) error {
	res, err := r.do(ctx, base.Describe, r.url.String(), base.Header{
		"Accept": {"application/sdp"}, "Accept-Language": {"en-US, *;q=0.1"},
	}, nil)
	if res != nil && res.StatusCode >= 300 && res.StatusCode < 305 {
		if to, err := url.Parse(first(res.Header, "Location")); err == nil && to.Scheme == "rtsp" && to.Host != "" {
			return &movedError{to: to}
		}
	}
	if err != nil {
		return err
	}
	root := r.url.String()
	for _, name := range []string{"Content-Location", "Content-Base"} { // RFC 2326, section C.1.1
		if v := first(res.Header, name); v != "" {
			root = joinURL(root, v)
		}
	}
	if r.desc, err = parseDescription(res.Body, root); err != nil {
		return err
	}
	r.entry = first(res.Header, "X-Playlist-Gen-Id")
	if r.desc.wms && r.o.Output != nil {
		r.out = newOutput(r.o.Output, r.desc.header)
	}
	r.step("described: %d streams, Windows Media %v", len(r.desc.streams), r.desc.wms)
	return nil
}

// selectStreams sets up the resend stream and then the others. [MS-RTSP] 3.1.5.4 and 3.1.4.3.1.
func (r *run) selectStreams(ctx context.Context) error {
	if r.transport == "udp" && r.desc.rtx != nil {
		if err := r.setupRTX(ctx); err != nil {
			return err
		}
	} else if r.desc.wms && r.o.PacketPair {
		if _, err := r.do(ctx, base.GetParameter, r.desc.base, base.Header{
			"Content-Type": {"application/x-rtsp-packetpair"}, "Content-Length": {"0"},
		}, nil); err != nil {
			return err
		}
		r.step("packet pair over tcp")
	}
	for i, s := range r.desc.streams {
		if err := r.setup(ctx, i, s); err != nil {
			return err
		}
	}
	r.report.Streams = len(r.desc.streams)
	r.step("set up %d streams over %s", len(r.desc.streams), r.transport)
	return nil
}

// setupRTX takes the second pair, so that ClientPort is the media's, and measures the way if that is wanted.
func (r *run) setupRTX(ctx context.Context) (err error) {
	if r.rtx == nil {
		if r.rtx, err = r.newPair(1); err != nil {
			return err
		}
	}
	t, err := r.setupStream(ctx, r.desc.rtx.control, "RTP/AVP/UDP;unicast;"+r.rtx.clientPort())
	if err != nil {
		return err
	}
	r.rtxSSRC = t.ssrc
	if _, rtcp, ok := t.ports("server_port"); ok {
		r.rtcpTo = netip.AddrPortFrom(r.origin, rtcp)
	}
	r.step("set up resend stream, ssrc %08x", r.rtxSSRC)
	if !r.o.PacketPair {
		return nil
	}
	return r.packetPair(ctx)
}

// packetPair asks for the packets and waits for the first of them. [MS-RTSP] 3.1.5.6 to 3.1.5.8, 3.1.6.1.
func (r *run) packetPair(ctx context.Context) error {
	if _, err := r.do(ctx, base.SetParameter, r.desc.base, base.Header{
		"Content-Type": {"application/x-rtsp-udp-packetpair;charset=UTF-8"},
	}, []byte("type: high-entropy-packetpair variable-size")); err != nil {
		return err
	}
	timer := time.NewTimer(firewallTimer)
	defer timer.Stop()
	for r.noises == 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("player: packet pair: %w", context.Cause(ctx))
		case <-timer.C:
			r.step("no packet pair came")
			return ErrNoMedia
		case e := <-r.events:
			if err := r.handle(e); err != nil {
				return err
			}
		}
	}
	r.step("packet pair over udp")
	return nil
}

// setup sets up one ordinary stream. Those of Windows Media share a port pair. [MS-RTSP] 2.2.7.10.1.
func (r *run) setup(ctx context.Context, i int, s *stream) (err error) {
	if r.transport == "tcp" {
		t, err := r.setupStream(ctx, s.control, fmt.Sprintf("RTP/AVP/TCP;unicast;interleaved=%d-%d", 2*i, 2*i+1))
		if err != nil {
			return err
		}
		s.channel = 2 * i
		if lo, _, ok := t.ports("interleaved"); ok {
			s.channel = int(lo)
		}
		return nil
	}
	p := r.media
	if p == nil || !r.desc.wms {
		n := i // the resend stream's pair is the second
		if p, err = r.newPair(n); err != nil {
			return err
		}
		p.clock = s.clock
		r.media = p
	}
	t, err := r.setupStream(ctx, s.control, "RTP/AVP/UDP;unicast;"+p.clientPort())
	if err != nil {
		return err
	}
	if _, rtcp, ok := t.ports("server_port"); ok {
		p.serverRTCP = rtcp
	}
	return nil
}

// answered is the Transport of an answer.
type answered struct {
	params map[string]string
	ssrc   uint32
}

// ports reads "5004-5005" or "5004", whose second is then the one above.
func (a answered) ports(name string) (lo, hi uint16, ok bool) {
	x, y, pair := strings.Cut(a.params[name], "-")
	m, err := strconv.ParseUint(x, 10, 16)
	if err != nil {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(y, 10, 16)
	if !pair {
		n, err = m+1, nil
	}
	return uint16(m), uint16(n), err == nil
}

// setupStream is one SETUP. [MS-RTSP] 2.2.7.10.1.
func (r *run) setupStream(ctx context.Context, control, transport string) (answered, error) {
	if r.desc.wms {
		transport += fmt.Sprintf(";ssrc=%08x;mode=PLAY", ourSSRC)
	}
	res, err := r.do(ctx, base.Setup, control, base.Header{"Transport": {transport}}, nil)
	if res != nil && res.StatusCode == base.StatusUnsupportedTransport {
		return answered{}, ErrTransport
	}
	if err != nil {
		return answered{}, err
	}
	a := answered{params: map[string]string{}}
	for _, part := range strings.Split(first(res.Header, "Transport"), ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		a.params[strings.ToLower(name)] = v
	}
	if n, err := strconv.ParseUint(strings.TrimSpace(a.params["ssrc"]), 16, 32); err == nil {
		a.ssrc = uint32(n)
	}
	return a, nil
}

// startPlaying sends PLAY and the log that follows it. [MS-RTSP] 3.1.5.9.1.
func (r *run) startPlaying(ctx context.Context) error {
	h := base.Header{"Range": {fmt.Sprintf("npt=%.3f-", r.o.Start.Seconds())}}
	if r.entry != "" {
		h["X-Playlist-Seek-Id"] = base.HeaderValue{r.entry}
	}
	r.playing, r.playedAt = true, time.Now()
	if _, err := r.do(ctx, base.Play, r.desc.base, h, nil); err != nil {
		return err
	}
	r.step("playing")
	return r.sendLog(ctx, "application/x-wms-Logconnectstats;charset=UTF-8")
}

// sendLog sends a log to an origin that takes logs; what it answers does not matter.
func (r *run) sendLog(ctx context.Context, kind string) error {
	if !r.desc.wms {
		return nil
	}
	res, err := r.do(ctx, base.SetParameter, r.desc.base, base.Header{"Content-Type": {kind}}, []byte(logs))
	if res != nil {
		return nil
	}
	return err
}

// keepAlive says that we live. [MS-RTSP] 2.2.7.5; ordinary origins are asked for their methods, which all know.
func (r *run) keepAlive(ctx context.Context) error {
	method := base.GetParameter
	if !r.desc.wms {
		method = base.Options
	}
	if res, err := r.do(ctx, method, r.desc.base, nil, nil); res == nil {
		return err
	}
	return nil
}

// teardown ends the session, also when ctx has ended already. [MS-RTSP] 3.1.4.10. What fails now does not matter.
func (r *run) teardown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownTimeout)
	defer cancel()
	if r.session == "" || r.desc == nil {
		return
	}
	if !r.ended.IsZero() {
		if err := r.sendLog(ctx, "application/x-wms-Logplaystats;charset=UTF-8"); err != nil {
			return
		}
	}
	if _, err := r.do(ctx, base.Teardown, r.desc.base, nil, nil); err == nil || errors.Is(err, errDone) {
		r.step("torn down")
	}
}
