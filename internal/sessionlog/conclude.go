package sessionlog

import "time"

// Facts are what a room knows of a session's media beside the record.
type Facts struct {
	Played    time.Duration // the longest time that media was to run without a pause; 0 when it never was
	Silent    time.Duration // how long nothing had come from the origin when media was still to run; 0 when it was not
	Reports   uint64        // blocks in the player's RTCP reports (RFC 3550, section 6.4.1): each says that media reached it
	Refused   uint64        // packets to the player that its host or a NAT answered with ICMP port unreachable
	Unknowing uint64        // RTCP reports of the player that have no block: nothing reached it until then (section 6.4.2)
}

const (
	// patience is how long media that is to run may stay out before its absence is a cause: as long as the most impatient
	// players wait.
	patience = 5 * time.Second
	// lull is how long media may pause before that is a cause: a live origin may have a gap.
	lull = 8 * time.Second
	// fewPackets are too few to say that none of them arrived.
	fewPackets = 20
	// lossShare is the part of the packets, one in so many, from which on a loss is told.
	lossShare = 100
)

// Conclude writes the end of a session into its record: the end state, the sentence, and the causes by name. causes is
// what ended it and what was refused before; the signs that the figures of the record and f have are added. A session
// that its player left because its origin sent nothing ends with the origin's time-out. The record's other figures must
// be complete.
func (r *Record) Conclude(state EndState, f Facts, causes ...Cause) {
	signs := r.signs(f)
	for _, c := range signs {
		if c.Kind == OriginSilent && (state.Who == WhoNobody || state.Who == WhoClient) {
			state.Who = WhoOriginTimeout
		}
	}
	r.End = state
	r.Why, r.Causes = Explain(append(causes, signs...))
}

// signs are the causes that the figures tell.
func (r *Record) signs(f Facts) (out []Cause) {
	add := func(when bool, c Cause) {
		if c.Node = r.Node; when {
			out = append(out, c)
		}
	}
	if r.Mode == ModePlay {
		nothing := r.FirstMedia == nil
		add(nothing && f.Played >= patience, Cause{Kind: OriginSilent, For: f.Played})
		add(!nothing && f.Silent >= lull, Cause{Kind: OriginStopped, For: f.Silent})
		sent := r.ToClient.Packets
		deaf := r.Protocol == "rtsp" && r.Transport == TransportUDP && !nothing && sent >= fewPackets && f.Played >= patience && f.Reports == 0
		add(deaf && f.Unknowing >= 3, Cause{Kind: PlayerUnreached, Count: sent})
		add(deaf && f.Unknowing < 3 && r.ClientLog == nil && r.ResendRequests == 0, Cause{Kind: PlayerNeverHeard, Count: sent})
	}
	// A player of MMS says nothing as long as all is well; one that has the header goes on to StartPlaying.
	headless := r.Protocol == "mms" && r.Transport == TransportUDP && r.Mode == "" && time.Duration(r.Duration) >= patience
	add(headless && r.ToClient.Packets > 0, Cause{Kind: PlayerNeverHeard, Count: r.ToClient.Packets})
	// Every player's last packets find its port closed; only of one that never said it got any it is a sign.
	udp := r.Transport == TransportUDP && f.Reports == 0 && r.ClientLog == nil && r.ResendRequests == 0
	add(udp && f.Refused > 0 && (headless || f.Played >= patience), Cause{Kind: PlayerICMP, Count: f.Refused})
	for _, d := range []struct {
		reason string
		kind   Kind
	}{{"write-refused", PlayerICMP}, {"unreachable", Unreachable}, {"wrong-port", NATMapped}, {"unknown-source", Stranger}} {
		add(r.Drops[d.reason] > 0, Cause{Kind: d.kind, Count: r.Drops[d.reason]})
	}
	sent := r.FromOrigin.Packets + r.Lost
	add(r.Mode == ModePlay && r.Lost > 0 && r.Lost*lossShare >= sent, Cause{Kind: LostBeforeHere, Count: r.Lost, Of: sent})
	// What a receiver reports as lost has in it what never reached the gateway.
	behind := r.RTCPLost - min(r.RTCPLost, r.Lost)
	add(r.Mode == ModePlay && behind > 0 && behind*lossShare >= r.ToClient.Packets,
		Cause{Kind: LostBehindHere, Count: behind, Of: r.ToClient.Packets})
	return out
}
