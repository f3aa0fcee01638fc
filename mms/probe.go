package mms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"mediagate/balancer"
	"mediagate/mms/mmswire"
)

// NewProbe returns a monitor that connects to a node and says Connect ([MS-MMSP] 3.2.5.3); the node is well when it answers
// without an error. With a path it goes on until it has the ASF header of that content: then the node can also read
// what it serves. timeout bounds the connection; the monitor's own context bounds the whole.
func NewProbe(timeout time.Duration, path string) balancer.Monitor {
	return func(ctx context.Context, n balancer.Node) error {
		if err := probe(ctx, n, timeout, path); err != nil {
			return fmt.Errorf("mms: probe node %q: %w", n.Name, err)
		}
		return nil
	}
}

// errProbe is an answer that shows a node unwell.
var errProbe = errors.New("answered with an error")

func probe(ctx context.Context, n balancer.Node, timeout time.Duration, path string) error {
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(ctx, "tcp", n.AddrPort(Service).String())
	if err != nil {
		return err
	}
	defer conn.Close() // it was only asked
	deadline := time.Now().Add(timeout)
	if t, ok := ctx.Deadline(); ok {
		deadline = t
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // the probe's reads return by it
	defer stop()
	p := prober{conn: conn, reader: mmswire.NewReader(conn, mmswire.Limits{})}
	sub := mmswire.ParseSubscriber("NSPlayer/9.0.0.2980; {3300AD50-2C39-46C0-AE0A-4D6564696167}")
	sub.SetHost(n.AddrPort(Service).String())
	if _, err := p.ask(&mmswire.Connect{
		PlayIncarnation:             mmswire.DisablePacketPair,
		MacToViewerProtocolRevision: mmswire.MacToViewerRevision, ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision,
		SubscriberName: sub.String(),
	}, mmswire.MIDReportConnectedEX); err != nil || path == "" {
		return err
	}
	return p.header(strings.TrimPrefix(path, "/"))
}

// prober is one conversation of a probe.
type prober struct {
	conn   net.Conn
	reader *mmswire.Reader
	seq    uint16
}

// header asks for the ASF header of a content and reads it to its last packet ([MS-MMSP] 2.2.2: AFFlags 0x0C).
func (p *prober) header(path string) error {
	const incarnation = 2
	if _, err := p.ask(&mmswire.ConnectFunnel{
		MaxBlockBytes: 0xffffffff, MaxBitRate: 0x989680, FunnelMode: 2, FunnelName: `\\0.0.0.0\TCP\1755`,
	}, mmswire.MIDReportConnectedFunnel); err != nil {
		return err
	}
	answer, err := p.ask(&mmswire.OpenFile{PlayIncarnation: 1, FileName: path}, mmswire.MIDReportOpenFile)
	if err != nil {
		return err
	}
	opened, ok := answer.(*mmswire.ReportOpenFile)
	if !ok {
		return errProbe
	}
	if err := p.say(&mmswire.ReadBlock{
		OpenFileID: opened.OpenFileID, Length: 0x8000, Flags: 0xffffffff, TDeadline: 3600, PlayIncarnation: incarnation,
	}); err != nil {
		return err
	}
	for {
		item, err := p.reader.Read()
		if err != nil {
			return err
		}
		if d, ok := item.(*mmswire.Data); ok && d.PlayIncarnation == incarnation && d.AFFlags&0x08 != 0 {
			return p.say(&mmswire.CloseFile{OpenFileID: opened.OpenFileID})
		}
	}
}

func (p *prober) say(m mmswire.Message) error {
	_, err := p.conn.Write(mmswire.AppendPacket(nil, p.seq, 0, mmswire.Encode(m)))
	p.seq++
	return err
}

// ask says m and reads until its answer.
func (p *prober) ask(m mmswire.Message, want mmswire.MID) (mmswire.Message, error) {
	if err := p.say(m); err != nil {
		return nil, err
	}
	for {
		item, err := p.reader.Read()
		if err != nil {
			return nil, err
		}
		packet, ok := item.(*mmswire.Packet)
		if !ok {
			continue
		}
		for _, raw := range packet.Messages {
			if answer, err := judgeAnswer(raw, m.MID(), want); answer != nil || err != nil {
				return answer, err
			}
		}
	}
}

// judgeAnswer is the answer if raw is the wanted one without an error, nothing if raw is something else.
func judgeAnswer(raw mmswire.Raw, asked, want mmswire.MID) (mmswire.Message, error) {
	r, _ := rowOf(raw.MID)
	if raw.MID != want {
		for _, a := range r.answers {
			if a == asked {
				return nil, fmt.Errorf("%w: %v to %v", errProbe, raw.MID, asked)
			}
		}
		return nil, nil
	}
	msg, err := mmswire.Decode(raw)
	if err != nil {
		return nil, err
	}
	var hr uint32
	switch t := msg.(type) {
	case *mmswire.ReportConnectedEX:
		hr = t.HR
	case *mmswire.ReportOpenFile:
		hr = t.HR
	}
	if failed(hr) {
		return nil, fmt.Errorf("%w: %v with result 0x%08X", errProbe, raw.MID, hr)
	}
	return msg, nil
}
