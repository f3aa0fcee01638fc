package player

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// rungs are the steps of the ladder, in the order in which Windows Media Player tries them.
//
// A refusal sends it to the next step at once. Silence it takes for one after a time:
//
//   - the connection: dialTimeout, which no specification names. If it is over, nothing answers at that port, and the
//     other step that would connect to it is passed over.
//   - an answer: answerTimeout; none names that either.
//   - rtspu: the Firewall timer, 10 s for the packet pair ([MS-RTSP] 3.1.5.6 and 3.1.6.1: the higher layer then decides
//     that all streams are streamed over TCP); without Options.PacketPair, mediaTimeout for the first packet.
//   - mmsu: the Header timer, 1 s and the time that the header takes, five times ([MS-MMSP] 3.1.2 and 3.1.6.1).
//   - rtspt, mmst and http: mediaTimeout for the first packet. Over TCP it comes, or the connection ends.
var rungs = []struct{ scheme, protocol, transport string }{
	{"rtspu", "rtsp", "udp"}, {"rtspt", "rtsp", "tcp"}, {"mmsu", "mms", "udp"}, {"mmst", "mms", "tcp"}, {"http", "http", "http"},
}

// climbDown tries step after step until one plays. A stream that breaks off is not played again.
func (p *attempt) climbDown(ctx context.Context, u *url.URL) error {
	var why []string
	var err error
	silent := map[string]string{} // protocols whose port did not answer, and the step that found it
	for _, rung := range rungs {
		p.again(rung.transport)
		if by := silent[rung.protocol]; by != "" {
			p.rung(LadderStep{Scheme: rung.scheme, Why: "passed over: nothing answers at the port, as " + by + " has found"})
			continue
		}
		began := time.Now()
		p.via = ""
		err = p.follow(ctx, p.at(u, rung.protocol), rung.transport)
		if err == nil && p.report.Packets == 0 { // its end was told, and nothing came before
			err = ErrNoMedia
		}
		s := LadderStep{Scheme: rung.scheme, Took: time.Since(began)}
		if err == nil {
			p.rung(s)
			return nil
		}
		s.Why = strings.TrimPrefix(err.Error(), "player: ")
		p.rung(s)
		why = append(why, rung.scheme+": "+s.Why)
		if p.report.Packets > 0 || ctx.Err() != nil {
			return err
		}
		if unanswered(err) {
			silent[rung.protocol] = rung.scheme
		}
	}
	return fmt.Errorf("player: roll over %s: %s: %w", u.Host, strings.Join(why, "; "), errNoStep)
}

// errNoStep tells that no step of the ladder played.
var errNoStep = errors.New("no step plays")

func (p *attempt) rung(s LadderStep) {
	p.report.Ladder = append(p.report.Ladder, s)
	if s.Why != "" {
		p.step("%s is left after %s: %s", s.Scheme, s.Took.Round(time.Millisecond), s.Why)
	}
}

// at is the URL of a step. A port in the URL is that of its own protocol.
func (p *attempt) at(u *url.URL, protocol string) *url.URL {
	to := *u
	to.Scheme = protocol
	if protocol == u.Scheme {
		return &to
	}
	to.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(int(p.o.Ports.of(protocol))))
	return &to
}

// unanswered tells whether no connection could be made because nothing answered.
func unanswered(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && op.Timeout()
}
