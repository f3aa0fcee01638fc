package player

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mediagate/mms/mmswire"
)

// nsPlayer is what we call ourselves: the version whose ways [MS-MMSP] asks for. [MS-MMSP] 2.2.4.17.
const nsPlayer = "NSPlayer/9.0.0.2833"

// connect is the first message. [MS-MMSP] 3.1.4.1.1.
func (r *mmsRun) connect(ctx context.Context) error {
	m := &mmswire.Connect{
		PlayIncarnation:             mmswire.DisablePacketPair,
		MacToViewerProtocolRevision: mmswire.MacToViewerRevision,
		ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision,
		SubscriberName:              nsPlayer + "; " + r.guid + "; Host: " + r.url.Host,
	}
	if r.o.PacketPair {
		m.PlayIncarnation = mmswire.UsePacketPair
	}
	if err := r.send(m); err != nil {
		return err
	}
	answer, err := r.await(ctx, mmswire.MIDReportConnectedEX)
	if err != nil {
		return err
	}
	r.server = answer.(*mmswire.ReportConnectedEX)
	r.report.Server = r.server.ServerVersionInfo
	r.step("server version %s", r.server.ServerVersionInfo)
	return nil
}

// major is the first number of Server-Version, 0 if there is none.
func (r *mmsRun) major() int {
	text, _, _ := strings.Cut(r.server.ServerVersionInfo, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// askFunnelInfo asks for our name in resend requests, and over TCP for a packet pair. [MS-MMSP] 3.1.5.3 and 3.1.5.4.
func (r *mmsRun) askFunnelInfo(ctx context.Context) error {
	m := &mmswire.FunnelInfo{PlayIncarnation: mmswire.DisablePacketPair}
	switch {
	case !r.o.PacketPair || r.server.PlayIncarnation != mmswire.UsePacketPair:
	case r.transport == "udp":
		m.PlayIncarnation = mmswire.PacketPairUDPHighEntropy
	default:
		m.PlayIncarnation = mmswire.PacketPairTCPHighEntropy
	}
	if err := r.send(m); err != nil {
		return err
	}
	for wanted := 1; r.funnelInfos < wanted; {
		answer, err := r.await(ctx, mmswire.MIDReportFunnelInfo)
		if err != nil {
			return err
		}
		info := answer.(*mmswire.ReportFunnelInfo)
		if info.PlayIncarnation == mmswire.PacketPairTCPHighEntropy {
			wanted = 3
		}
		if r.funnelInfos < len(r.pairs) {
			r.pairs[r.funnelInfos] = time.Now()
		}
		r.funnelInfos++
		r.clientID, r.report.Session = info.NCubs, fmt.Sprintf("%08x", info.NCubs)
		if r.funnelInfos == len(r.pairs) {
			r.measured("tcp", len(info.PacketPair))
		}
	}
	return nil
}

// measured tells how fast the second packet of a pair followed the first.
func (r *mmsRun) measured(transport string, bytes int) {
	if d := r.pairs[1].Sub(r.pairs[0]); d > 0 {
		r.step("packet pair over %s: %d kbit/s", transport, int64(bytes)*8*int64(time.Second)/int64(d)/1000)
	}
}

// connectFunnel names the socket that we listen on. Where UDP is refused and TCP will do, TCP is asked for on the same
// connection. [MS-MMSP] 3.1.5.4 to 3.1.5.6.
func (r *mmsRun) connectFunnel(ctx context.Context) error {
	for {
		m := &mmswire.ConnectFunnel{MaxBlockBytes: 0xffffffff, MaxBitRate: 10000000, FunnelMode: 2}
		name, err := r.funnelName()
		if err != nil {
			return err
		}
		m.FunnelName = name
		if err := r.send(m); err != nil {
			return err
		}
		answer, err := r.await(ctx, mmswire.MIDReportConnectedFunnel, mmswire.MIDReportDisconnectedFunnel)
		if err != nil {
			return err
		}
		no, refused := answer.(*mmswire.ReportDisconnectedFunnel)
		if !refused {
			r.step("funnel connected over %s", r.transport)
			return nil
		}
		if r.transport != "udp" || !r.auto {
			return errors.Join(ErrTransport, failed("connect funnel", no.HR))
		}
		r.step("udp refused (0x%08x), asking for tcp", no.HR)
		_ = r.udp.Close() // its reader ends with the run
		r.udp, r.transport, r.report.Transport = nil, "tcp", "tcp"
	}
}

// funnelName names a UDP port that is bound, or for TCP the connection that we have. [MS-MMSP] 2.2.4.18.
func (r *mmsRun) funnelName() (string, error) {
	name := mmswire.FunnelName{Addr: r.local, UDP: r.transport == "udp"}
	if !name.UDP {
		name.Port = r.tcp.LocalAddr().(*net.TCPAddr).Port
		return name.String(), nil
	}
	udp, err := listen(r.local, r.o.ClientPort)
	if err != nil {
		return "", err
	}
	r.udp = udp
	r.wg.Go(func() { r.readUDP(udp) })
	name.Port = udp.LocalAddr().(*net.UDPAddr).Port
	return name.String(), nil
}

// fileName is the path of the URL as it is meant, not percent-encoded. [MS-MMSP] 2.2.4.21. Departs from it: the query
// stays, as FFmpeg, MPlayer and libmms have it; a server could not get it otherwise.
func (r *mmsRun) fileName() string {
	name := strings.TrimPrefix(r.url.Path, "/")
	if r.url.RawQuery != "" {
		name += "?" + r.url.RawQuery
	}
	return name
}

// openFile names the content, says who we are if that is asked, and follows a redirect. [MS-MMSP] 3.1.5.6 to 3.1.5.9.
func (r *mmsRun) openFile(ctx context.Context) error {
	if err := r.send(&mmswire.OpenFile{PlayIncarnation: r.nextPlay(), FileName: r.fileName()}); err != nil {
		return err
	}
	for asked := false; ; asked = true {
		answer, err := r.await(ctx, mmswire.MIDReportOpenFile, mmswire.MIDSecurityChallenge, mmswire.MIDReportRedirect)
		if err != nil {
			return err
		}
		switch m := answer.(type) {
		case *mmswire.ReportOpenFile:
			r.file = m
			r.step("opened file %d: %d packets of %d bytes", m.OpenFileID, m.FilePacketCount, m.FilePacketSize)
			return nil
		case *mmswire.ReportRedirect:
			return r.redirected(m)
		case *mmswire.SecurityChallenge:
			if err := r.answerChallenge(m, asked); err != nil {
				return err
			}
		}
	}
}

// answerChallenge sends name and password. [MS-MMSP] 3.1.5.8.
func (r *mmsRun) answerChallenge(m *mmswire.SecurityChallenge, asked bool) error {
	zeros := len(m.Token) < 2 || m.Token[0] == 0 && m.Token[1] == 0
	ntlm := zeros && (r.major() >= 9 || r.server.AuthenPackage != "BASIC")
	switch {
	case asked:
		return errors.New("player: open file: name or password refused")
	case ntlm:
		return errors.New("player: open file: the origin asks for NTLM, only Basic is known here")
	case r.user == nil:
		return errors.New("player: open file: the origin asks for a name and a password")
	}
	r.step("origin asks for credentials")
	password, _ := r.user.Password()
	token := base64.StdEncoding.EncodeToString([]byte(r.user.Username() + ":" + password)) // RFC 2617, section 2
	return r.send(&mmswire.SecurityResponse{
		PlayIncarnation: m.PlayIncarnation, Cookie: m.Cookie, Token: append([]byte(token), 0),
	})
}

// redirected goes to another URL, to a proxy, or past one. [MS-MMSP] 2.2.4.9 and 3.1.5.7: the transport stays.
func (r *mmsRun) redirected(m *mmswire.ReportRedirect) error {
	if m.RedirectType == 2 && m.Location == "" {
		r.via = ""
		return &movedError{to: r.url}
	}
	to, err := parseLocation(m.Location)
	if err != nil {
		return err
	}
	if m.RedirectType != 2 {
		return &movedError{to: to}
	}
	r.via = r.o.address(to)
	return &movedError{to: r.url}
}

// parseLocation reads a URL that is not percent-encoded. [MS-MMSP] 2.2.4.9.
func parseLocation(location string) (*url.URL, error) {
	scheme, rest, _ := strings.Cut(location, "://")
	host, path, _ := strings.Cut(rest, "/")
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Host == "" || schemes[u.Scheme].protocol != "mms" {
		return nil, fmt.Errorf("player: open file: redirected to %q, which is no mms URL", location)
	}
	return &url.URL{Scheme: "mms", Host: u.Host, Path: "/" + path}, nil
}

// nextPlay is PlayIncarnation, which is then incremented. [MS-MMSP] 3.1.1.
func (r *mmsRun) nextPlay() uint32 {
	n := r.playIncarnation
	if r.playIncarnation++; r.playIncarnation > 0xfe {
		r.playIncarnation = 9
	}
	return n
}
